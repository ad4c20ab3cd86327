"""An answer in the making: what each new token adds to its text, and when it ends."""

from dataclasses import dataclass

from inference.engine.detokenizer import Detokenizer
from inference.engine.sampler import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.stopping import StopStrings
from inference.generation import Failure, FinishReason, Usage


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step gave one request.

    Attributes:
        request_id: whose.
        piece: the text the new token added; "" where it only holds back half a character or the
            beginning of a stop string, and where the request ended without a token.
        finish_reason: set on a request's last output and on no other.
        usage: exact counts, set on the last output. The token that ends an answer (end of
            sequence, or the one that completes a stop string) counts as generated.
        failure: set where `finish_reason` is ERROR.
        token: the new token; None where the request ended without one.
    """

    request_id: str
    piece: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    token: int | None = None


@dataclass(slots=True, eq=False)
class Answer:
    """One request's sequence with everything that turns its tokens into text.

    Attributes:
        sequence: the tokens.
        sampling: how the next token is chosen.
        stop_token_ids: tokens that end the answer without being shown.
        detokenizer: tokens to text.
        stop_strings: texts that end the answer.
    """

    sequence: Sequence
    sampling: SamplingState
    stop_token_ids: frozenset[int]
    detokenizer: Detokenizer
    stop_strings: StopStrings

    @property
    def request_id(self) -> str:
        """The request this answers."""
        return self.sequence.request_id

    def take(self, token: int) -> StepOutput:
        """Append a sampled token and say what it adds."""
        self.sequence.tokens.append(token)
        if self.sampling.counts is not None:
            self.sampling.counts.add(token)
        if token in self.stop_token_ids:
            return self.end(FinishReason.STOP, token=token)
        text = self.stop_strings.feed(self.detokenizer.feed(token))
        if self.stop_strings.is_met:
            return self.end(FinishReason.STOP, token=token, text=text)
        if self.sequence.completion_tokens >= self.sequence.max_tokens:
            return self.end(FinishReason.LENGTH, token=token, text=text)
        return StepOutput(self.request_id, text, token=token)

    def end(self, reason: FinishReason, *, token: int | None = None, text: str = "") -> StepOutput:
        """Return the last output: `text` and whatever was held back until now."""
        text += self.stop_strings.feed(self.detokenizer.flush())
        if self.stop_strings.is_met and reason is FinishReason.LENGTH:
            reason = FinishReason.STOP  # the half character completed a stop string
        text += self.stop_strings.flush()
        return StepOutput(self.request_id, text, reason, self.sequence.usage, token=token)

    def fail(self, failure: Failure) -> StepOutput:
        """Return the last output of a request that broke."""
        usage = self.sequence.usage
        return StepOutput(self.request_id, "", FinishReason.ERROR, usage, failure)
