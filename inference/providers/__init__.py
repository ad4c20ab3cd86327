"""Who answers: model workers over the bus, or a source of text inside this process."""
