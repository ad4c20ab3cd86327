"""From a grammar to what masks tokens; outside the engine's thread, and once for each grammar."""

import json
import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

import llguidance
from llguidance.hf import from_tokenizer
from transformers import PreTrainedTokenizerBase

from inference.engine.grammars.constraint import GrammarConstraint
from inference.engine.grammars.lark import PLAIN_SPACES, calls_lark, choice_lark
from inference.exceptions import InvalidRequestError
from inference.grammars import check_grammar

KEPT = 64
"""Compiled grammars that are kept for the next request that wants them."""

JSON_OBJECT = {"type": "object"}

LIMITS = llguidance.LLParserLimits(
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    max_grammar_size=100_000,
    max_lexer_states=50_000,
)
"""What compiling and one mask may cost: some 20 ms for the one, 15 ms for the other, at worst."""


class GrammarCompiler:
    """Compiles grammars for one tokenizer; may be used from several threads.

    Args:
        tokenizer: the model's; one of the fast kind.
        vocabulary_size: scores the model gives, which may be more than the tokenizer has tokens.
        end_token_ids: tokens that end an answer.

    Raises:
        InvalidRequestError: from `compile`, if the tokenizer is of the slow kind.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        *,
        vocabulary_size: int,
        end_token_ids: Collection[int],
    ) -> None:
        self._tokenizer = tokenizer
        self._vocabulary_size = vocabulary_size
        self._end_token_ids = sorted(end_token_ids)
        self._lock = threading.Lock()
        self._guide: llguidance.LLTokenizer | None = None
        self._kept: OrderedDict[str, llguidance.LLMatcher] = OrderedDict()

    def compile(self, grammar: Mapping[str, Any], *, said: str = "") -> GrammarConstraint:
        """Return what holds one answer to a grammar.

        Args:
            grammar: see `inference.grammars`.
            said: the beginning of the answer, where it goes on after a break.

        Raises:
            InvalidRequestError: the grammar is malformed, too large or too costly.
            UnsatisfiableGrammarError: what was said does not follow it.
        """
        check_grammar(grammar)
        key = json.dumps(grammar, sort_keys=True)
        with self._lock:
            matcher = self._kept.pop(key, None) or self._matcher_for(grammar)
            self._kept[key] = matcher
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            constraint = GrammarConstraint(matcher.deep_copy())
            guide = self._guide
        if said and guide is not None:
            constraint.accept_all(guide.greedy_tokenize(said))
        return constraint

    def _matcher_for(self, grammar: Mapping[str, Any]) -> llguidance.LLMatcher:
        guide = self._guide = self._guide or self._make_guide()
        try:
            text = self._text_of(grammar)
        except ValueError as error:
            raise InvalidRequestError(f"the grammar cannot be read: {error}") from error
        matcher = llguidance.LLMatcher(guide, text, log_level=0, limits=LIMITS)
        if matcher.is_error():
            problem = " ".join(matcher.get_error().split())
            raise InvalidRequestError(f"the grammar cannot be followed: {problem[:300]}")
        return matcher

    def _make_guide(self) -> llguidance.LLTokenizer:
        try:
            return from_tokenizer(
                self._tokenizer,  # type: ignore[arg-type]  # it refuses other kinds itself
                n_vocab=self._vocabulary_size,
                eos_token=self._end_token_ids,
            )
        except ValueError as error:
            raise InvalidRequestError(
                "this model's tokenizer is of the slow kind, which cannot follow grammars"
            ) from error

    def _text_of(self, grammar: Mapping[str, Any]) -> str:
        """Return the grammar as llguidance reads it."""
        matcher = llguidance.LLMatcher
        match grammar["type"]:
            case "json_object":
                return matcher.grammar_from_json_schema(JSON_OBJECT, overrides=PLAIN_SPACES)
            case "json_schema":
                schema = dict(grammar["schema"])
                return matcher.grammar_from_json_schema(schema, overrides=PLAIN_SPACES)
            case "regex":
                return matcher.grammar_from_regex(grammar["regex"])
            case "choice":
                return matcher.grammar_from_lark(choice_lark(grammar["choices"]))
            case "calls":
                return matcher.grammar_from_lark(calls_lark(grammar, self._special_tokens()))
            case _:
                return matcher.grammar_from_lark(grammar["lark"])

    def _special_tokens(self) -> dict[str, int]:
        return {
            str(token.content): index
            for index, token in self._tokenizer.added_tokens_decoder.items()
            if token.special
        }
