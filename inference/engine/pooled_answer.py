"""A text that becomes a vector: what is left to do when the model has read it."""

from dataclasses import dataclass, replace

from inference.engine.answer import StepOutput
from inference.engine.sequence import Sequence
from inference.generation import Failure, FinishReason

NO_NUMBERS = Failure("invalid_embedding", "the model's vector of this text holds no numbers")


@dataclass(slots=True, eq=False)
class PooledAnswer:
    """One text's sequence and how its vector is told; its sequence has the pool.

    Attributes:
        sequence: the tokens.
        normalize: whether the vector is scaled to length 1.
        choice: a text has one vector.
        finish_reason: why it ended; None until then.
    """

    sequence: Sequence
    normalize: bool
    choice: int = 0
    finish_reason: FinishReason | None = None

    @property
    def request_id(self) -> str:
        """The request this answers."""
        return self.sequence.request_id

    def tell(self) -> StepOutput:
        """Return the vector of a text that was read to its end."""
        assert self.sequence.pool is not None
        vector = self.sequence.pool.vector(normalize=self.normalize)
        if not bool(vector.isfinite().all()):
            return self.fail(NO_NUMBERS)
        return replace(self.end(FinishReason.STOP), embedding=tuple(vector.tolist()))

    def end(self, reason: FinishReason) -> StepOutput:
        """Return the last output, without a vector."""
        return StepOutput(self.request_id, finish_reason=reason)

    def fail(self, failure: Failure) -> StepOutput:
        """Return the last output of a text that could not be read."""
        return replace(self.end(FinishReason.ERROR), failure=failure)
