"""An answer's grammar while it grows: which tokens may come next."""

import llguidance
import numpy as np

from inference.exceptions import UnsatisfiableGrammarError


class GrammarConstraint:
    """A `TokenConstraint` over llguidance's matcher.

    Args:
        matcher: at the beginning of its grammar; it belongs to the constraint.
    """

    def __init__(self, matcher: llguidance.LLMatcher) -> None:
        self._matcher = matcher

    @property
    def is_finished(self) -> bool:
        """Whether nothing may follow."""
        self._check()
        return self._matcher.is_stopped()

    def mask(self, row: np.ndarray) -> None:
        """Set the bits of the tokens that may come next.

        Args:
            row: zeros, int32 [ceil(V / 32)].

        Raises:
            UnsatisfiableGrammarError: the grammar became too costly to follow.
        """
        self._matcher.unsafe_compute_mask_ptr(row.ctypes.data, row.nbytes)
        self._check()

    def accept(self, token: int) -> None:
        """Note the token that was chosen.

        Raises:
            UnsatisfiableGrammarError: it was not allowed.
        """
        self._matcher.consume_token(token)
        self._check()

    def accept_all(self, tokens: list[int]) -> None:
        """Note what an answer that goes on had said already, in any tokens of that text.

        Raises:
            UnsatisfiableGrammarError: it does not follow the grammar.
        """
        self._matcher.consume_tokens(tokens)
        self._check()

    def fork(self) -> "GrammarConstraint":
        """Return one in the same state that goes its own way."""
        return GrammarConstraint(self._matcher.deep_copy())

    def _check(self) -> None:
        if self._matcher.is_error():
            raise UnsatisfiableGrammarError(self._matcher.get_error().partition("\n")[0])
