"""`/v1/responses`: one answer as a list of items, which a later request may continue."""
