"""How the functions of one request may be called, and what that means for its parameters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from inference.generation import SamplingParams
from inference.tools.formats import CANONICAL, ToolFormat, tool_format
from inference.tools.parser import CallParser

MOST_FORCED_CALLS = 8
"""Calls that a model which must call may make at once; a lost one would never stop."""


@dataclass(frozen=True, slots=True)
class ToolUse:
    """Functions a model may call.

    Attributes:
        tools: the functions, as OpenAI's API describes them.
        is_forced: whether it must call one.
        forced_name: the one it must call; "" for any.
        is_parallel: whether it may call several at once.
    """

    tools: tuple[Mapping[str, Any], ...]
    is_forced: bool = False
    forced_name: str = ""
    is_parallel: bool = True

    @property
    def functions(self) -> list[Mapping[str, Any]]:
        """The functions that may be called now."""
        functions = [tool["function"] for tool in self.tools]
        return [one for one in functions if self.forced_name in ("", one["name"])]

    def form_of(self, format_name: str) -> ToolFormat:
        """Return how calls are written, where the model's own format has this name.

        Calls are forced in the canonical format where the model's own has no grammar.
        """
        form = tool_format(format_name)
        return tool_format(CANONICAL) if self.is_forced and form.grammar is None else form

    def applied_to(self, params: SamplingParams, form: ToolFormat) -> SamplingParams:
        """Return the parameters under which calls can be read, and are made where they must be."""
        if form.is_special:
            params = replace(params, skip_special_tokens=False)
        if not self.is_forced:
            return params
        is_single = self.forced_name or not self.is_parallel
        grammar = {
            "type": "calls",
            "functions": [
                {"name": one["name"], "parameters": dict(one["parameters"])}
                for one in self.functions
            ],
            "most": 1 if is_single else MOST_FORCED_CALLS,
            **(form.grammar or {}),
        }
        return replace(params, grammar=grammar)

    def parser(self, form: ToolFormat) -> CallParser:
        """Return what reads the calls of one answer."""
        names = [one["name"] for one in self.functions]
        return CallParser(form, names=names, most=None if self.is_parallel else 1)
