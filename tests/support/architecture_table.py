"""The tables of docs/reference/architectures.md; `python -m tests.support.architecture_table`."""

from collections.abc import Mapping

from tests.support.architectures import ARCHITECTURES, Architecture
from tests.support.encoder_decoders import ENCODER_DECODERS


def tables() -> tuple[str, str]:
    """Return the table of decoders, and that of encoder-decoders."""
    return _table(ARCHITECTURES, heading="decoder"), _table(
        ENCODER_DECODERS, heading="encoder-decoder"
    )


def _table(rows: Mapping[str, Architecture], *, heading: str) -> str:
    lines = [f"| {heading} | known as | way |", "|---|---|---|"]
    lines += [f"| `{name}` | {row.known_as} | {row.way} |" for name, row in rows.items()]
    return "\n".join(lines)


if __name__ == "__main__":
    print("\n\n".join(tables()))  # noqa: T201 (it is what the module is for)
