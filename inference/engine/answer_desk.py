"""The answer desk: what every open answer gets from a step, and what goes back when it ends."""

from torch import Tensor

from inference.engine.answer import Answer, StepOutput
from inference.engine.block_manager import BlockManager
from inference.engine.isolation import ForwardResult
from inference.engine.logprobs import prompt_logprobs
from inference.engine.model_runner import ModelRunner
from inference.engine.pooled_answer import PooledAnswer
from inference.engine.request import Request
from inference.engine.request_book import RequestBook
from inference.engine.sampler import Sampled
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Chunk, Sequence
from inference.engine.speculation.speculator import Speculator
from inference.engine.stats import Totals
from inference.generation import Failure, FinishReason, SamplingParams


class AnswerDesk:
    """The open answers of an engine; used by the thread that steps.

    Args:
        book: the open requests; one is closed with its last answer.
        scheduler: gives the answers' sequences their turns.
        blocks: the cache's blocks.
        runner: computes the sequences.
        speculator: guesses ahead for them; None where nobody does.
        totals: counts what ends.
    """

    def __init__(
        self,
        book: RequestBook,
        *,
        scheduler: Scheduler,
        blocks: BlockManager,
        runner: ModelRunner,
        speculator: Speculator | None,
        totals: Totals,
    ) -> None:
        self._book = book
        self._scheduler = scheduler
        self._blocks = blocks
        self._runner = runner
        self._speculator = speculator
        self._totals = totals
        self._answers: dict[Sequence, Answer | PooledAnswer] = {}  # those the scheduler knows

    def answer_of(self, sequence: Sequence) -> Answer | PooledAnswer:
        """Return the answer that a scheduled sequence belongs to."""
        return self._answers[sequence]

    def begin(self, answer: Answer | PooledAnswer) -> None:
        """Let an answer wait for its turn."""
        self._answers[answer.sequence] = answer
        self._scheduler.add(answer.sequence)

    def cancel(self, request: Request) -> list[StepOutput]:
        """End all answers of a request that are still open."""
        outputs = []
        for answer in request.answers:
            if answer.finish_reason is None:
                outputs += self._give(answer, answer.end(FinishReason.CANCELLED))
        return outputs

    def fail(self, sequence: Sequence, failure: Failure) -> list[StepOutput]:
        """End an answer that cannot go on."""
        answer = self._answers[sequence]
        return self._give(answer, answer.fail(failure))

    def read(self, result: ForwardResult) -> tuple[list[Answer], list[int]]:
        """Note what was computed; return the answers that get a token and their rows of scores.

        An answer that has just read its prompt comes after those that share it: they fork before
        it can end. One with a draft has a row for each guess before its own.
        """
        answers: list[Answer] = []
        rows: list[int] = []
        first = 0
        for chunk in result.chunks:
            answer = self._answers[chunk.sequence]
            guesses = len(chunk.sequence.draft)
            chunk.sequence.computed_tokens = chunk.end - guesses
            if isinstance(answer, PooledAnswer):
                continue
            if chunk.sequence.scores_prompt:
                scores = result.logits[first : first + chunk.scored]
                self._tell_prompt(chunk, scores, answer.sampling.params)
            first += chunk.scored
            if chunk.is_sampled:
                unborn = self._book[answer.request_id].take_unborn()
                answers += [*unborn, answer]
                rows += [first - 1] * len(unborn)
                rows += range(first - 1 - guesses, first)
        return answers, rows

    def tell_vectors(self, result: ForwardResult) -> list[StepOutput]:
        """Return the vectors of the texts that have been read to their end."""
        outputs = []
        for chunk in result.chunks:
            answer = self._answers[chunk.sequence]
            if isinstance(answer, PooledAnswer) and not chunk.sequence.pending_tokens:
                output = answer.tell()
                if output.failure is None:
                    self._blocks.remember(chunk.sequence)
                outputs += self._give(answer, output)
        return outputs

    def take(self, answer: Answer, run: list[Sampled]) -> list[StepOutput]:
        """Give an answer its tokens, the accepted guesses first, until one ends it."""
        outputs = []
        for place, sampled in enumerate(run):
            if answer.finish_reason is not None:
                break
            if place:
                answer.sequence.computed_tokens += 1  # the guess before it, read in this step
            outputs += self._take_one(answer, sampled)
        return outputs

    def _tell_prompt(self, chunk: Chunk, logits: Tensor, params: SamplingParams) -> None:
        """Keep the log-probabilities of the prompt's tokens that follow those of a chunk."""
        sequence = chunk.sequence
        told = self._book[sequence.request_id].prompt_logprobs
        assert told is not None
        assert params.prompt_logprobs is not None
        # After a preemption some have been told already.
        tokens = sequence.tokens[len(told) : chunk.end + 1]
        skipped = len(told) - 1 - chunk.start
        told += prompt_logprobs(logits[skipped:], tokens, params.prompt_logprobs)
        sequence.scores_prompt = not chunk.is_sampled

    def _take_one(self, answer: Answer, sampled: Sampled) -> list[StepOutput]:
        """Give an answer its token; one that begins with it begins to run."""
        if sampled.failure is not None:
            return self._give(answer, answer.fail(sampled.failure))
        is_new = answer.sequence not in self._answers
        if not is_new:
            # Only now is it known that what the blocks hold are numbers.
            self._blocks.remember(answer.sequence)
        output = answer.take(sampled)
        if is_new and output.finish_reason is None:
            self._fork(self._book[answer.request_id].answers[0].sequence, answer)
        return self._give(answer, output)

    def _fork(self, parent: Sequence, answer: Answer) -> None:
        """Let an answer go on from the prompt that its request's first one has read."""
        if not self._runner.has_prefix_reuse:
            self.begin(answer)
            return
        self._answers[answer.sequence] = answer
        self._blocks.remember(parent)
        copies = self._scheduler.fork(parent, answer.sequence)
        if copies:
            self._runner.copy_blocks(copies)

    def _give(self, answer: Answer | PooledAnswer, output: StepOutput) -> list[StepOutput]:
        """Hand out an answer's output, and forget the answer after its last one."""
        request = self._book[answer.request_id]
        leaving = request.release(answer, output)
        if output.finish_reason is None:
            return leaving
        self._forget(answer, is_broken=output.failure is not None)
        unborn = request.take_unborn()
        for other in unborn:  # nobody is left to read their prompt
            end = other.end(FinishReason.CANCELLED)
            leaving += self._give(other, other.fail(output.failure) if output.failure else end)
        if not unborn and not request.is_open:  # else the last of them has closed it
            self._book.close(request)
            self._totals.count(request.outcome, request.usage)
        return leaving

    def _forget(self, answer: Answer | PooledAnswer, *, is_broken: bool) -> None:
        """Take back what an answer held, if it ever held anything."""
        if self._answers.pop(answer.sequence, None) is None:
            return
        if is_broken:
            self._runner.clear_blocks(self._blocks.disown(answer.sequence))
        self._scheduler.remove(answer.sequence)
        self._runner.forget(answer.sequence)
        if self._speculator is not None:
            self._speculator.forget(answer.sequence)
