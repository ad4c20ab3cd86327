"""The engine of one model: requests in, a piece of every running answer out, step by step.

    submit ─→ waiting ─→ running ─→ StepOutput …  the last one has a finish reason
                  ↑─── preempted ──┘

The engine has no thread of its own. Whoever owns it calls `step` in a loop, always from the same
thread; `submit`, `cancel` and the questions may come from any.
"""

import logging
import threading
from collections.abc import Sequence as Items

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.families import ChatTemplate
from inference.engine.answer import Answer, StepOutput
from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.intake import Intake
from inference.engine.isolation import ForwardResult
from inference.engine.memory import is_out_of_memory
from inference.engine.parallel.channel import PlanChannel
from inference.engine.parallel.runner import LeadingRunner
from inference.engine.runner_choice import choose_runner
from inference.engine.sampler import sample
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Chunk
from inference.engine.stats import EngineLoad, EngineStats, Outcome, Totals
from inference.engine.validation import check_turn
from inference.exceptions import InvalidRequestError, QueueFullError
from inference.generation import Failure, FinishReason, SamplingParams
from inference.messages import Message

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2

NO_SCORES = Failure("invalid_logits", "the model gave no usable scores")
NO_MEMORY = Failure("out_of_memory", "the model ran out of memory for this request")
NO_SLOT = Failure("timeout", "the request waited too long for a free slot")
NO_RESULT = Failure("model_error", "the model could not compute this request")


class LLMEngine:
    """Runs one decoder for many requests at once.

    Args:
        model: a transformers causal language model; it belongs to the engine from now on.
        tokenizer: the model's.
        config: see `EngineConfig`.
        template: the chat template to use instead of the tokenizer's own.
        channel: where several processes share the model, reaches those that follow this one.

    Attributes:
        context_length: the window in tokens, prompt and answer together.

    Raises:
        ModelLoadError: the engine cannot run this kind of model.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: EngineConfig | None = None,
        *,
        template: ChatTemplate | None = None,
        channel: PlanChannel | None = None,
    ) -> None:
        self.config = config or EngineConfig()
        window = self.config.context_length
        if window is None:
            window = int(model.config.get_text_config().max_position_embeddings)
        self._model = model.eval()
        chosen = choose_runner(self._model, self.config, context_length=window)
        self._runner = chosen.runner if channel is None else LeadingRunner(chosen.runner, channel)
        self.context_length = chosen.context_length
        self._blocks = BlockManager(
            block_count=chosen.shape.block_count,
            block_size=chosen.shape.block_size,
            row_blocks=chosen.shape.row_blocks,
            reuse_prefixes=self.config.prefix_cache and chosen.runner.has_prefix_reuse,
        )
        self._scheduler = Scheduler(self._blocks, self.config)
        self._intake = Intake(
            model, tokenizer, template=template, context_length=self.context_length
        )
        self._changed = threading.Condition()
        self._arrived: list[Answer] = []
        self._cancelled: set[str] = set()
        self._answers: dict[str, Answer] = {}
        self._stepping_thread: int | None = None
        self._totals = Totals()

    # Called from any thread.

    def submit(
        self,
        request_id: str,
        *,
        messages: Items[Message],
        params: SamplingParams | None = None,
        priority: int = 0,
        group: str = "",
    ) -> None:
        """Let a conversation be answered.

        Where the last message is the assistant's, the answer continues it.

        Args:
            request_id: names the request in outputs.
            messages: the conversation.
            params: how to sample and when to stop.
            priority: -10 to 10; lower goes first.
            group: whose request it is, such as a user; groups take turns.

        Raises:
            InvalidRequestError: a parameter or the conversation cannot be followed, or the
                request is being answered already.
            ContextLengthExceededError: the conversation leaves no room for an answer.
            QueueFullError: `max_waiting` requests wait already.
        """
        check_turn(priority, group)
        answer = self._intake.receive(request_id, messages, params or SamplingParams())
        answer.sequence.priority, answer.sequence.group = priority, group
        with self._changed:
            if request_id in self._answers:
                raise InvalidRequestError(f"the request {request_id!r} is being answered already")
            if self._waiting_count() >= self.config.max_waiting:
                raise QueueFullError(self.config.name, retry_after_s=RETRY_AFTER_S)
            self._answers[request_id] = answer
            self._arrived.append(answer)
            self._changed.notify_all()

    def cancel(self, request_id: str) -> None:
        """End a request; the next step gives its last output. Unknown ids are ignored."""
        with self._changed:
            if request_id in self._answers:
                self._cancelled.add(request_id)
                self._changed.notify_all()

    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        with self._changed:
            return bool(self._answers)

    def wait_for_work(self, timeout: float | None = None) -> bool:
        """Sleep until there is work or `timeout` seconds have passed; return `has_work`."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._answers), timeout)

    def load(self) -> EngineLoad:
        """Return how busy the engine is."""
        with self._changed:
            waiting = self._waiting_count()
            return EngineLoad(len(self._answers) - waiting, waiting, self.config.max_num_seqs)

    def stats(self) -> EngineStats:
        """Return the totals so far."""
        return self._totals.stats(
            preemptions=self._scheduler.preemption_count,
            used_blocks=self._blocks.used_blocks,
            free_blocks=self._blocks.free_blocks,
        )

    # Called from the thread that steps.

    def step(self) -> list[StepOutput]:
        """Compute once for all running sequences.

        Returns:
            One output for every sequence that got a token or ended; none for prompts that are
            still being read.
        """
        self._settle_into_thread()
        outputs = self._take_in()
        chunks = self._scheduler.schedule()
        if chunks:
            self._totals.steps += 1
            outputs += self._advance(self._runner.run(chunks))
        return outputs

    def _settle_into_thread(self) -> None:
        """Set torch's thread count, which belongs to the calling thread."""
        if self._stepping_thread != threading.get_ident():
            self._stepping_thread = threading.get_ident()
            if self.config.threads is not None:
                torch.set_num_threads(self.config.threads)

    def _take_in(self) -> list[StepOutput]:
        """Hand arrivals to the scheduler and end what was cancelled."""
        with self._changed:
            arrived, self._arrived = self._arrived, []
            for answer in arrived:
                self._scheduler.add(answer.sequence)
            cancelled = [self._answers[request_id] for request_id in self._cancelled]
        outputs = [
            self._close(answer, answer.end(FinishReason.CANCELLED), Outcome.CANCELLED)
            for answer in cancelled
        ]
        for sequence in self._scheduler.overdue():
            answer = self._answers[sequence.request_id]
            outputs.append(self._close(answer, answer.fail(NO_SLOT), Outcome.FAILED))
        return outputs

    def _advance(self, result: ForwardResult) -> list[StepOutput]:
        """Note what was computed, sample, and turn tokens into outputs."""
        self._scheduler.adapt(result.too_many_tokens)
        outputs = [self._fail(chunk, error) for chunk, error in result.failures]
        for chunk in result.chunks:
            chunk.sequence.computed_tokens = chunk.end
        sampled = [chunk for chunk in result.chunks if chunk.is_sampled]
        if not sampled:
            return outputs
        answers = [self._answers[chunk.sequence.request_id] for chunk in sampled]
        tokens = sample(result.logits, [answer.sampling for answer in answers])
        pairs = zip(answers, tokens, strict=True)
        return outputs + [self._give(answer, token) for answer, token in pairs]

    def _give(self, answer: Answer, token: int | None) -> StepOutput:
        """Give an answer its sampled token; None stands for scores nobody can sample from."""
        if token is None:
            return self._close(answer, answer.fail(NO_SCORES), Outcome.FAILED)
        # Only now is it known that what the blocks hold are numbers.
        self._blocks.remember(answer.sequence)
        output = answer.take(token)
        if output.finish_reason is not None:
            self._close(answer, output, Outcome.FINISHED)
        return output

    def _fail(self, chunk: Chunk, error: Exception) -> StepOutput:
        """End a request the model could not compute."""
        answer = self._answers[chunk.sequence.request_id]
        logger.error("%s failed on %s", self.config.name, answer.request_id, exc_info=error)
        failure = NO_MEMORY if is_out_of_memory(error) else NO_RESULT
        return self._close(answer, answer.fail(failure), Outcome.FAILED)

    def _close(self, answer: Answer, output: StepOutput, outcome: Outcome) -> StepOutput:
        """Forget an answer after its last output."""
        if outcome is Outcome.FAILED:
            self._runner.clear_blocks(self._blocks.disown(answer.sequence))
        self._scheduler.remove(answer.sequence)
        self._runner.forget(answer.sequence)
        with self._changed:
            del self._answers[answer.request_id]
            self._cancelled.discard(answer.request_id)
        self._totals.count(outcome, answer.sequence.usage)
        return output

    def _waiting_count(self) -> int:
        return len(self._arrived) + len(self._scheduler.waiting)
