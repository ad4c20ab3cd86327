"""An answer in the making: what each new token adds to its text, and when it ends."""

from dataclasses import dataclass, replace

from inference.engine.detokenizer import Detokenizer
from inference.engine.grammar import failure_of
from inference.engine.logprobs import TokenLogprobs
from inference.engine.sampler import Sampled
from inference.engine.sampling_state import SamplingState
from inference.engine.sentences import Sentences
from inference.engine.sequence import Sequence
from inference.engine.stopping import StopStrings
from inference.generation import Failure, FinishReason, Usage


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What one step gave one answer.

    Attributes:
        request_id: whose.
        piece: the text the new token added; "" where it only holds back half a character or the
            beginning of a stop string, and where the answer ended without a token.
        finish_reason: set on an answer's last output and on no other; a request for several
            answers has one for each.
        usage: exact counts, set on the very last output of a request: the prompt once, and the
            tokens of all its answers. The token that ends an answer (end of sequence, or the one
            that completes a stop string) counts as generated.
        failure: set where `finish_reason` is ERROR.
        token: the new token; None where the answer ended without one.
        choice: which of the request's answers.
        logprobs: how likely the token was, where that was asked for.
        prompt_logprobs: how likely the prompt's tokens were, on an answer's first output where
            that was asked for; None stands for the first token, which follows nothing.
        embedding: the vector of a text that was to be pooled, on its only output.
    """

    request_id: str
    piece: str = ""
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    failure: Failure | None = None
    token: int | None = None
    choice: int = 0
    logprobs: TokenLogprobs | None = None
    prompt_logprobs: tuple[TokenLogprobs | None, ...] | None = None
    embedding: tuple[float, ...] | None = None


@dataclass(slots=True, eq=False)
class Answer:
    """One answer's sequence with everything that turns its tokens into text.

    Attributes:
        sequence: the tokens.
        sampling: how the next token is chosen.
        stop_token_ids: tokens that end the answer without being shown.
        detokenizer: tokens to text.
        stop_strings: texts that end the answer.
        sentences: where the answer must end with a sentence, what keeps it from ending elsewhere.
        choice: which of the request's answers it is.
        opening: text that goes in front of the answer.
        logprob_sum: log-probability of the answer so far, where log-probabilities are told.
        finish_reason: why it ended; None until then.
    """

    sequence: Sequence
    sampling: SamplingState
    stop_token_ids: frozenset[int]
    detokenizer: Detokenizer
    stop_strings: StopStrings
    sentences: Sentences | None = None
    choice: int = 0
    opening: str = ""
    logprob_sum: float = 0.0
    finish_reason: FinishReason | None = None

    def __post_init__(self) -> None:
        """Ban what may not come first."""
        self._ban_early_ends()

    @property
    def request_id(self) -> str:
        """The request this answers."""
        return self.sequence.request_id

    @property
    def mean_logprob(self) -> float:
        """Log-probability a token, by which answers of different lengths compare."""
        return self.logprob_sum / max(1, self.sequence.completion_tokens)

    def take(self, sampled: Sampled) -> StepOutput:
        """Append a sampled token and say what it adds; a sample without a token ends the answer."""
        if sampled.token is None:
            assert sampled.failure is not None
            return self.fail(sampled.failure)
        token, logprobs = sampled.token, sampled.logprobs
        self.sequence.tokens.append(token)
        if logprobs is not None:
            self.logprob_sum += logprobs.logprob
        failure = self._note(token)
        output = self.fail(failure) if failure is not None else self._show(token)
        if self.sampling.params.logprobs is None:
            logprobs = None  # only ranking needed them
        opening, self.opening = self.opening, ""
        if opening or logprobs is not None:
            output = replace(output, piece=opening + output.piece, logprobs=logprobs)
        return output

    def end(self, reason: FinishReason, *, token: int | None = None, text: str = "") -> StepOutput:
        """Return the last output: `text` and whatever was held back until now."""
        text += self._watch(self.detokenizer.flush())
        if self.stop_strings.is_met and reason is FinishReason.LENGTH:
            reason = FinishReason.STOP  # the half character completed a stop string
        text += self.stop_strings.flush()
        if self.sentences is not None:
            is_cut = reason is FinishReason.LENGTH
            text = self.sentences.feed(text) + self.sentences.flush(is_cut=is_cut)
        return self._output(text, token, reason)

    def fail(self, failure: Failure) -> StepOutput:
        """Return the last output of an answer that broke."""
        return replace(self._output("", None, FinishReason.ERROR), failure=failure)

    def _note(self, token: int) -> Failure | None:
        """Tell the sampler's memory of a token; return why the answer cannot go on."""
        try:
            self.sampling.note(token)
        except Exception as error:  # whatever a constraint raises is its answer's failure
            return failure_of(error)
        return None

    def _show(self, token: int) -> StepOutput:
        """Return what a token adds, or the last output where it ends the answer."""
        if token in self.stop_token_ids:
            return self.end(FinishReason.STOP, token=token)
        text = self._watch(self.detokenizer.feed(token))
        constraint = self.sampling.constraint
        if self.stop_strings.is_met or (constraint is not None and constraint.is_finished):
            return self.end(FinishReason.STOP, token=token, text=text)
        if self.sequence.completion_tokens >= self.sequence.max_tokens:
            return self.end(FinishReason.LENGTH, token=token, text=text)
        if self.sentences is not None:
            text = self.sentences.feed(text)
        self._ban_early_ends()
        return self._output(text, token)

    def _watch(self, text: str) -> str:
        """Look for stop strings, once there are as many tokens as the request wants at least."""
        if self.sequence.completion_tokens < self.sampling.params.min_tokens:
            return text
        return self.stop_strings.feed(text)

    def _ban_early_ends(self) -> None:
        """Keep end tokens from coming next where the answer must not end."""
        is_early = self.sequence.completion_tokens < self.sampling.params.min_tokens
        is_midway = self.sentences is not None and not self.sentences.is_complete
        self.sampling.banned = tuple(self.stop_token_ids) if is_early or is_midway else ()

    def _output(
        self, piece: str, token: int | None, reason: FinishReason | None = None
    ) -> StepOutput:
        return StepOutput(self.request_id, piece, reason, token=token, choice=self.choice)
