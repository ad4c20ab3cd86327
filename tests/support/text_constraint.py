"""A constraint written by hand: the answer must be one of a few texts."""

from collections.abc import Sequence

import numpy as np

from inference.exceptions import UnsatisfiableGrammarError


class OneOf:
    """Allows the tokens of any of the given answers, and an end token after a whole one.

    Args:
        answers: the tokens of each.
        end_token: what may follow a whole answer; None ends it there without one.
    """

    def __init__(self, answers: Sequence[Sequence[int]], *, end_token: int | None) -> None:
        self._answers = [tuple(answer) for answer in answers]
        self._end_token = end_token
        self._said: tuple[int, ...] = ()

    @property
    def is_finished(self) -> bool:
        if self._end_token is not None:
            return self._said[-1:] == (self._end_token,)
        return self._said in self._answers

    def mask(self, row: np.ndarray) -> None:
        for token in self._following():
            row[token // 32] |= np.uint32(1 << (token % 32)).astype(np.int32)

    def accept(self, token: int) -> None:
        if token not in self._following():
            raise UnsatisfiableGrammarError(f"token {token} fits no text")
        self._said += (token,)

    def fork(self) -> "OneOf":
        other = OneOf(self._answers, end_token=self._end_token)
        other._said = self._said
        return other

    def _following(self) -> set[int]:
        count = len(self._said)
        begun = [answer for answer in self._answers if answer[:count] == self._said]
        tokens = {answer[count] for answer in begun if len(answer) > count}
        if self._end_token is not None and self._said in begun:
            tokens.add(self._end_token)
        return tokens
