"""The sandbox chat templates are rendered in; they come with models and are not trusted."""

import datetime as dt
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn

import jinja2
import jinja2.ext
from jinja2 import nodes
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from inference.exceptions import InvalidRequestError

STUMBLES = (
    jinja2.TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
"""What a template that does not fit its conversation raises."""


class GenerationTag(jinja2.ext.Extension):
    """Renders `{% generation %}…{% endgeneration %}`, which marks an assistant's own words.

    Training reads the mark; for the prompt it changes nothing.
    """

    tags = {"generation"}

    def parse(self, parser: Parser) -> nodes.Node:
        """Read the block up to its end tag."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    def _render(self, caller: Callable[[], str]) -> str:
        return caller()


def _raise_exception(message: str) -> NoReturn:
    """Let a template refuse a conversation, as transformers' templates do."""
    raise jinja2.TemplateError(message)


def _strftime_now(layout: str) -> str:
    return dt.datetime.now(tz=dt.UTC).strftime(layout)


def _to_json(value: Any, ensure_ascii: bool = False, indent: int | None = None) -> str:
    """Write JSON without escaping HTML, unlike Jinja's own filter."""
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
        extensions=[GenerationTag, jinja2.ext.loopcontrols],
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _raise_exception
    environment.globals["strftime_now"] = _strftime_now
    return environment


@lru_cache(maxsize=256)
def compile_template(source: str) -> jinja2.Template:
    """Return the template of a Jinja text, with the names transformers' templates expect.

    Raises:
        jinja2.TemplateSyntaxError: the text is no template.
    """
    return _environment().from_string(source)


def render_source(source: str, **values: Any) -> str:
    """Render a Jinja text.

    Raises:
        InvalidRequestError: it is no template, refuses the conversation, or stumbles over it.
    """
    try:
        return compile_template(source).render(**values)
    except STUMBLES as error:
        raise InvalidRequestError(
            f"the model's chat template refuses the conversation: {error}", param="messages"
        ) from error
