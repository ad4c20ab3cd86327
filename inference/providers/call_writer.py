"""Calls of functions that a server tells as data, written out as a model here would write them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from inference.tools.writing import CALL_END, call_opening


class CallWriter:
    """Writes the `tool_calls` of one answer's chunks in the canonical format, as they grow."""

    def __init__(self) -> None:
        self._open: Any = None
        self._has_arguments = False
        self._has_written = False

    def write(self, entries: Sequence[Mapping[str, Any]]) -> str:
        """Return the text of some entries; one with another index begins another call.

        Raises:
            TypeError, KeyError: the entries have not the documented shape.
        """
        text = ""
        for place, entry in enumerate(entries):
            index, function = entry.get("index", place), entry["function"]
            if index != self._open:
                text += self.close()
                text += "\n" * self._has_written + call_opening(function["name"])
                self._open, self._has_arguments, self._has_written = index, False, True
            arguments = function.get("arguments") or ""
            said = arguments if isinstance(arguments, str) else json.dumps(arguments)
            self._has_arguments |= bool(said)
            text += said
        return text

    def close(self) -> str:
        """Return what ends the call that is open, if one is."""
        if self._open is None:
            return ""
        self._open = None
        return CALL_END if self._has_arguments else "{}" + CALL_END
