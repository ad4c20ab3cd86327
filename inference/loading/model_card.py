"""What the card beside a model's weights says about it: who made it, its licence, what it is."""

from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import ModelCard
from yaml import YAMLError

DESCRIPTION_CHARS = 600


@dataclass(frozen=True, slots=True)
class CardFacts:
    """What a listing wants to know; empty where the card does not say."""

    organisation: str = ""
    licence: str = ""
    description: str = ""


def read_card(path: str) -> CardFacts:
    """Return the facts of the card in a model's folder, or of its hub id.

    The organisation of a hub id is its owner. A folder without a readable `README.md` tells
    nothing, which is no error.

    Args:
        path: local folder, or id on the hub as `owner/name`; the hub is not asked.

    Source:
        huggingface.co/docs/hub/model-cards (metadata between `---` lines, then Markdown).
    """
    folder = Path(path)
    if not folder.is_dir():
        owner, slash, _ = path.partition("/")
        return CardFacts(organisation=owner if slash else "")
    try:
        card = ModelCard((folder / "README.md").read_text(encoding="utf-8"))
    except (OSError, ValueError, YAMLError):
        return CardFacts()
    facts = card.data.to_dict()
    return CardFacts(
        organisation=str(facts.get("organisation") or ""),
        licence=str(facts.get("license") or ""),
        description=first_paragraph(card.text)[:DESCRIPTION_CHARS],
    )


def first_paragraph(markdown: str) -> str:
    """Return the first block of running text, on one line; headings, tables and lists are not."""
    for block in markdown.split("\n\n"):
        text = " ".join(block.split())
        if text and text[0] not in "#|-*<>!`[":
            return text
    return ""
