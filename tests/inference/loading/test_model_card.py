"""The card beside a model's weights."""

from inference.loading.model_card import CardFacts, read_card

CARD = """---
license: apache-2.0
organisation: Example Lab
---

# A model

It speaks two languages
and little else.

| fact | value |
"""


def test_a_folders_card_tells_maker_licence_and_the_first_paragraph(tmp_path):
    (tmp_path / "README.md").write_text(CARD, encoding="utf-8")

    facts = read_card(str(tmp_path))

    assert facts == CardFacts(
        "Example Lab", "apache-2.0", "It speaks two languages and little else."
    )


def test_a_folder_without_a_card_tells_nothing(tmp_path):
    assert read_card(str(tmp_path)) == CardFacts()


def test_a_card_with_broken_metadata_tells_nothing(tmp_path):
    (tmp_path / "README.md").write_text("---\n: [\n---\n# A model\n", encoding="utf-8")

    assert read_card(str(tmp_path)) == CardFacts()


def test_the_owner_of_a_hub_id_is_its_organisation():
    assert read_card("Example/model-7b") == CardFacts(organisation="Example")
