"""A request: one prompt, and the answers generated for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from inference.engine.answer import Answer, StepOutput
from inference.engine.logprobs import TokenLogprobs
from inference.engine.pooled_answer import PooledAnswer
from inference.engine.stats import Outcome
from inference.generation import FinishReason, Usage


@dataclass(slots=True, eq=False)
class Request:
    """The answers of one request, and what they share.

    Only the first answer reads the prompt. When it has, the others begin with a token drawn from
    the same scores. A text to be pooled has one answer, its vector.

    Attributes:
        request_id: names the request in outputs.
        answers: all of them, the first one first.
        returned_count: how many are wanted; where that is fewer, the likeliest are returned when
            all have ended.
        prompt_logprobs: those of the prompt's tokens read so far; None where nobody asked.
    """

    request_id: str
    answers: Sequence[Answer | PooledAnswer]
    returned_count: int
    prompt_logprobs: list[TokenLogprobs | None] | None = None
    _unborn: list[Answer] = field(init=False)  # they wait for the prompt to be read
    _kept: dict[int, list[StepOutput]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Let all but the first answer wait."""
        self._unborn = [answer for answer in self.answers[1:] if isinstance(answer, Answer)]

    @property
    def is_open(self) -> bool:
        """Whether some answer has not ended."""
        return any(answer.finish_reason is None for answer in self.answers)

    @property
    def usage(self) -> Usage:
        """The prompt once, and the tokens of all answers."""
        first = self.answers[0].sequence
        completion_tokens = sum(answer.sequence.completion_tokens for answer in self.answers)
        return Usage(first.prompt_tokens, completion_tokens, first.cached_tokens)

    @property
    def outcome(self) -> Outcome:
        """How the request counts once it has ended."""
        reasons = {answer.finish_reason for answer in self.answers}
        if FinishReason.CANCELLED in reasons:
            return Outcome.CANCELLED
        return Outcome.FAILED if reasons == {FinishReason.ERROR} else Outcome.FINISHED

    def take_unborn(self) -> list[Answer]:
        """Return, once, the answers that waited for the prompt to be read."""
        unborn, self._unborn = self._unborn, []
        return unborn

    def release(self, answer: Answer | PooledAnswer, output: StepOutput) -> list[StepOutput]:
        """Take the next output of an answer and return the outputs that may leave now."""
        answer.finish_reason = output.finish_reason
        is_first = output.token is not None and answer.sequence.completion_tokens == 1
        if is_first and self.prompt_logprobs is not None:
            output = replace(output, prompt_logprobs=tuple(self.prompt_logprobs))
        if self.returned_count < len(self.answers):
            self._kept.setdefault(answer.choice, []).append(output)
            leaving = [] if self.is_open else self._likeliest()
        else:
            leaving = [output]
        if leaving and not self.is_open:
            leaving[-1] = replace(leaving[-1], usage=self.usage)
        return leaving

    def _likeliest(self) -> list[StepOutput]:
        """Return the outputs of the best answers, numbered anew; broken ones come last."""
        broken = (FinishReason.ERROR, FinishReason.CANCELLED)
        order = sorted(
            (answer for answer in self.answers if isinstance(answer, Answer)),
            key=lambda answer: (answer.finish_reason in broken, -answer.mean_logprob),
        )
        return [
            replace(output, choice=rank)
            for rank, answer in enumerate(order[: self.returned_count])
            for output in self._kept[answer.choice]
        ]
