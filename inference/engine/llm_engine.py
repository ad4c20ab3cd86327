"""The engine of one model: requests in, a piece of every running answer out, step by step.

    submit ─→ waiting ─→ running ─→ StepOutput …  the last one has a finish reason
                  ↑─── preempted ──┘

The engine has no thread of its own. Whoever owns it calls `step` in a loop, always from the same
thread; `submit`, `cancel` and the questions may come from any.
"""

import logging
import threading
import time
from collections.abc import Mapping
from collections.abc import Sequence as Items
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.chat_templates.families import ChatTemplate
from inference.engine.answer import Answer, StepOutput
from inference.engine.answer_desk import AnswerDesk
from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.embedding_intake import EmbeddingIntake
from inference.engine.grammar import TokenConstraint
from inference.engine.intake import Intake, Prompt
from inference.engine.isolation import ForwardResult
from inference.engine.lora.installing import Adapters
from inference.engine.lora.low_rank import Adapter
from inference.engine.memory import is_out_of_memory
from inference.engine.parallel.channel import PlanChannel
from inference.engine.parallel.runner import LeadingRunner
from inference.engine.request import Request
from inference.engine.request_book import RequestBook
from inference.engine.runner_kinds import choose_any_runner, stated_window
from inference.engine.sampler import Sampled, Sampler
from inference.engine.scheduler import Scheduler
from inference.engine.sequence import Chunk
from inference.engine.speculation.choice import beside_draft_model, make_speculator
from inference.engine.stats import EngineLoad, EngineStats, StepStats, Totals
from inference.engine.stopwatch import Stopwatch
from inference.engine.tokens import Tokens
from inference.engine.validation import check_turn
from inference.engine.vision.choice import checked_reader, own_sight
from inference.engine.warming import warm_up
from inference.exceptions import InvalidRequestError, ModelNotFoundError, QueueFullError
from inference.generation import Failure, Pooling, SamplingParams
from inference.messages import Message

logger = logging.getLogger(__name__)

RETRY_AFTER_S = 2

NO_MEMORY = Failure("out_of_memory", "the model ran out of memory for this request")
NO_SLOT = Failure("timeout", "the request waited too long for a free slot")
NO_RESULT = Failure("model_error", "the model could not compute this request")


class LLMEngine:
    """Runs one model for many requests at once.

    A decoder answers conversations, continues texts, and pools texts into vectors, all in the
    same steps. A model without a head for generation only pools.

    Args:
        model: a transformers causal language model, or one without a head; it belongs to the
            engine from now on.
        tokenizer: the model's.
        config: see `EngineConfig`.
        template: the chat template to use instead of the tokenizer's own.
        draft_model: for `speculation="draft"` a smaller model of the same tokenizer, which belongs
            to the engine from now on too.
        channel: where several processes share the model, reaches those that follow this one.
        pooling: how texts are pooled where a request does not say.
        processor: prepares images for a vision-language model; without it the model takes none.
        adapters: fine-tunings of the model that share its weights, by name.

    Attributes:
        context_length: the window in tokens, prompt and answer together.
        takes_images: whether messages may hold images.
        tokens: the tokenizer, for those who want no answer.
        last_step: what the latest step that computed something did; None before the first.

    Raises:
        ModelLoadError: the engine cannot run this kind of model.
        ValueError: a draft model is missing, or given where none is used.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        config: EngineConfig | None = None,
        *,
        template: ChatTemplate | None = None,
        draft_model: PreTrainedModel | None = None,
        channel: PlanChannel | None = None,
        pooling: Pooling = "mean",
        processor: Any = None,
        adapters: Mapping[str, Adapter] | None = None,
    ) -> None:
        self.config = config or EngineConfig()
        window = self.config.context_length
        if window is None:
            window = stated_window(model, self.config.name)
        self._model = model.eval()
        has_head = bool(model.can_generate())
        # Followers of a shared model get plans of tokens, so there it takes no images.
        sight = own_sight(self._model, processor if channel is None else None, self.config)
        self._adapters = Adapters(self._model, adapters or {}, self.config)
        chosen = choose_any_runner(
            self._model,
            beside_draft_model(self.config, model, draft_model),
            context_length=window,
            is_led=channel is not None,
        )
        self._adapters.settle(chosen)
        self._runner = chosen.runner if channel is None else LeadingRunner(chosen.runner, channel)
        self.context_length = chosen.context_length
        self._chosen = chosen
        self._blocks = BlockManager(
            block_count=chosen.shape.block_count,
            block_size=chosen.shape.block_size,
            row_blocks=chosen.shape.row_blocks,
            reuse_prefixes=self.config.prefix_cache and chosen.runner.has_prefix_reuse,
        )
        self._scheduler = Scheduler(self._blocks, self.config)
        vocabulary_size: int = model.config.get_text_config().vocab_size
        image_reader = checked_reader(sight, self._runner, self._blocks, self._model, self.config)
        self.takes_images = image_reader is not None
        self._intakes: dict[str, Intake] = {}
        if has_head:
            make_intake = partial(
                Intake,
                model,
                context_length=self.context_length,
                answer_window=chosen.answer_window,
                is_whole=chosen.is_whole,
                image_reader=image_reader,
            )
            bare = make_intake(tokenizer, template=template)
            self._intakes = self._adapters.intakes(bare, partial(make_intake, template=None))
        self.tokens = Tokens(tokenizer, vocabulary_size=vocabulary_size)
        self._embedding_intake = EmbeddingIntake(
            tokenizer,
            vocabulary_size=vocabulary_size,
            limit_tokens=self.context_length,
            closing_tokens=self.tokens.closing,
            pooling=pooling,
            is_whole=chosen.is_whole,
        )
        self._sampler = Sampler()
        self._speculator = make_speculator(
            self.config,
            self._sampler,
            draft_model=draft_model,
            context_length=self.context_length,
            cache_tokens=chosen.shape.tokens,
            vocabulary_size=vocabulary_size,
            can_take_back=chosen.runner.has_prefix_reuse,
        )
        self._book = RequestBook()
        self._stepping_thread: int | None = None
        self._totals = Totals()
        self._desk = AnswerDesk(
            self._book,
            scheduler=self._scheduler,
            blocks=self._blocks,
            runner=self._runner,
            speculator=self._speculator,
            totals=self._totals,
        )
        self._step_watch = Stopwatch()
        self._forward_watch = Stopwatch()
        self._sampling_watch = Stopwatch()
        self.last_step: StepStats | None = None

    # Called from any thread.

    def submit(
        self,
        request_id: str,
        *,
        messages: Items[Message] | None = None,
        prompt: str | None = None,
        prompt_token_ids: Items[int] | None = None,
        params: SamplingParams | None = None,
        constraint: TokenConstraint | None = None,
        priority: int = 0,
        group: str = "",
        adapter: str = "",
        tools: Items[Mapping[str, Any]] = (),
        template_options: Mapping[str, Any] | None = None,
    ) -> None:
        """Let a conversation be answered, or a text be continued.

        Args:
            request_id: names the request in outputs.
            messages: a conversation; where the last message is the assistant's, the answer
                continues it. One of this and the next two must be given.
            prompt: a raw text to continue.
            prompt_token_ids: a tokenised text to continue.
            params: how to sample and when to stop.
            constraint: what the answer must follow; several answers get forks of it.
            priority: -10 to 10; lower goes first.
            group: whose request it is, such as a user; groups take turns.
            adapter: the adapter that answers; empty is the bare model.
            tools: functions that may be called in a conversation.
            template_options: further names for the conversation's template.

        Raises:
            ModelNotFoundError: there is no such adapter.
            InvalidRequestError: a parameter or the prompt cannot be followed, the request is
                being answered already, or the model has no head.
            ContextLengthExceededError: the prompt leaves no room for an answer.
            QueueFullError: `max_waiting` requests wait already.
        """
        request = self._intake_of(adapter).receive(
            request_id,
            Prompt(messages, prompt, prompt_token_ids, tools, template_options),
            params or SamplingParams(),
            constraint,
        )
        self._enter(request, priority=priority, group=group, adapter=adapter)

    def submit_embedding(
        self,
        request_id: str,
        *,
        text: str | None = None,
        token_ids: Items[int] | None = None,
        pooling: Pooling | None = None,
        normalize: bool = True,
        truncate: bool = False,
        priority: int = 0,
        group: str = "",
        adapter: str = "",
    ) -> None:
        """Let a text become a vector; its one output has it as `embedding`.

        Args:
            request_id: names the request in outputs.
            text: the text. One of this and the next must be given.
            token_ids: the text, tokenised already.
            pooling: how the states of its tokens become one vector; None takes the engine's way.
            normalize: scale the vector to length 1.
            truncate: cut a text that is longer than the window at its end, instead of refusing it.
            priority: as for `submit`, like the next two.
            group: see there.
            adapter: see there.

        Raises:
            ModelNotFoundError: there is no such adapter.
            InvalidRequestError: the text is empty or has a token the model lacks, the pooling is
                unknown, or the request is being answered already.
            ContextLengthExceededError: the text is longer than the window.
            QueueFullError: `max_waiting` requests wait already.
        """
        if adapter:
            self._intake_of(adapter)
        request = self._embedding_intake.receive(
            request_id,
            text=text,
            token_ids=token_ids,
            pooling=pooling,
            normalize=normalize,
            truncate=truncate,
        )
        self._enter(request, priority=priority, group=group, adapter=adapter)

    def _enter(self, request: Request, *, priority: int, group: str, adapter: str) -> None:
        """Put a request into the book."""
        check_turn(priority, group)
        for answer in request.answers:
            answer.sequence.priority, answer.sequence.group = priority, group
            answer.sequence.adapter = adapter
        if not self._book.add(
            request, has_room=lambda: self._waiting_count() < self.config.max_waiting
        ):
            raise QueueFullError(self.config.name, retry_after_s=RETRY_AFTER_S)

    @property
    def tool_format(self) -> str:
        """Name of the format in which calls of functions are written; "" without a head."""
        return self._intake_of("").tool_format if self._intakes else ""

    def prompt_text(self, messages: Items[Message], *, adapter: str = "") -> str:
        """Return the text that the model reads for a conversation; "" if it has no head.

        Raises:
            InvalidRequestError: no message, or the template refuses them.
        """
        return self._intake_of(adapter).prompt_text(messages) if self._intakes else ""

    def prompt_tokens(self, messages: Items[Message], *, adapter: str = "") -> list[int]:
        """Return the tokens that the model reads for a conversation.

        Raises:
            ContextLengthExceededError: they are far too many.
            InvalidRequestError: no message, or the template refuses them.
        """
        return self._intake_of(adapter).prompt_tokens(messages)

    def compile(
        self, grammar: Mapping[str, Any], *, said: str = "", adapter: str = ""
    ) -> TokenConstraint:
        """Return what holds an answer to a grammar; see `GrammarCompiler.compile`.

        A request whose parameters have a grammar need not bring this along, unless it goes on
        with an answer that was begun elsewhere.
        """
        return self._intake_of(adapter).grammars.compile(grammar, said=said)

    def _intake_of(self, adapter: str) -> Intake:
        """Return who takes requests in for an adapter, or for the bare model."""
        if not self._intakes:
            raise InvalidRequestError(f"{self.config.name} turns texts into vectors only")
        if adapter not in self._intakes:
            raise ModelNotFoundError(adapter)
        return self._intakes[adapter]

    def cancel(self, request_id: str) -> None:
        """End a request; the next step gives its last outputs. Unknown ids are ignored."""
        self._book.cancel(request_id)

    def has_work(self) -> bool:
        """Whether `step` would do anything."""
        return self._book.has_work()

    def wait_for_work(self, timeout: float | None = None) -> bool:
        """Sleep until there is work or `timeout` seconds have passed; return `has_work`."""
        return self._book.wait_for_work(timeout)

    def load(self) -> EngineLoad:
        """Return how busy the engine is."""
        running = len(self._scheduler.running)
        return EngineLoad(running, self._waiting_count(), self.config.max_num_seqs)

    def stats(self) -> EngineStats:
        """Return the totals so far."""
        return self._totals.stats(
            preemptions=self._scheduler.preemption_count,
            used_blocks=self._blocks.used_blocks,
            free_blocks=self._blocks.free_blocks,
        )

    def describe(self) -> str:
        """Return in a few words how the model is computed and what it has room for."""
        cache, tokens = self._chosen.cache, self._chosen.shape.tokens
        size = f" of {cache.bytes_per_token} bytes" if cache and cache.bytes_per_token else ""
        room = "KV cache of" if cache else "room for"
        return (
            f"{self._chosen.way} runner, {room} {tokens} tokens{size},"
            f" window of {self.context_length}, {self.config.max_num_seqs} slots"
        )

    # Called from the thread that steps.

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Compute steps of the usual shapes; call it before the first request, or never."""
        self._settle_into_thread()
        warm_up(self._runner, self._blocks, self.config, context_length=self.context_length)

    @torch.inference_mode()
    def step(self) -> list[StepOutput]:
        """Compute once for all running sequences.

        Returns:
            One output for every sequence that got a token or ended; none for prompts that are
            still being read.
        """
        self._settle_into_thread()
        with self._step_watch:
            outputs = self._take_in()
            with self._forward_watch:
                self._guess()
            chunks = self._scheduler.schedule()
            if chunks:
                with self._forward_watch:
                    result = self._runner.run(chunks)
                outputs += self._advance(result)
        self._note_step(chunks)
        return outputs

    def _guess(self) -> None:
        """Let sequences that decode run ahead of the coming step."""
        if self._speculator is None:
            return
        running = self._scheduler.running
        candidates = [
            (sequence, answer.sampling)
            for sequence in running
            if sequence.pending_tokens == 1
            and isinstance(answer := self._desk.answer_of(sequence), Answer)
        ]
        room = self.config.max_batched_tokens - len(running)
        self._speculator.plan(candidates, room=room)

    def _note_step(self, chunks: list[Chunk]) -> None:
        """Keep the numbers of a step that is over."""
        whole_s, forward_s = self._step_watch.take(), self._forward_watch.take()
        sampling_s = self._sampling_watch.take()
        if not chunks:
            return
        decoding = [chunk.count for chunk in chunks if chunk.is_decoding]
        self._totals.steps += 1
        self.last_step = StepStats(
            running=len(self._scheduler.running),
            waiting=len(self._scheduler.waiting),
            batch_size=len(chunks),
            decode_tokens=sum(decoding),
            prefill_tokens=sum(chunk.count for chunk in chunks) - sum(decoding),
            cache_usage=self._blocks.used_blocks / self._blocks.block_count,
            forward_s=forward_s,
            sampling_s=sampling_s,
            rest_s=whole_s - forward_s - sampling_s,
        )

    def _settle_into_thread(self) -> None:
        """Set torch's thread count, which belongs to the calling thread."""
        if self._stepping_thread != threading.get_ident():
            self._stepping_thread = threading.get_ident()
            if self.config.threads is not None:
                torch.set_num_threads(self.config.threads)

    def _take_in(self) -> list[StepOutput]:
        """Hand arrivals to the scheduler and end what was cancelled or waited too long."""
        arrived, cancelled = self._book.take_news()
        for request in arrived:
            self._desk.begin(request.answers[0])
        outputs = []
        for request in cancelled:
            outputs += self._desk.cancel(request)
        for sequence in self._scheduler.overdue():
            outputs += self._desk.fail(sequence, NO_SLOT)
        return outputs

    def _advance(self, result: ForwardResult) -> list[StepOutput]:
        """Note what was computed, sample, and turn tokens into outputs."""
        self._scheduler.adapt(result.too_many_tokens)
        outputs = []
        for chunk, error in result.failures:
            logger.error(
                "%s failed on %s", self.config.name, chunk.sequence.request_id, exc_info=error
            )
            failure = NO_MEMORY if is_out_of_memory(error) else NO_RESULT
            outputs += self._desk.fail(chunk.sequence, failure)
        answers, rows = self._desk.read(result)
        outputs += self._desk.tell_vectors(result)
        if answers:
            # Usually every row is sampled, once and in order.
            is_plain = rows == list(range(len(result.logits)))
            logits = result.logits if is_plain else result.logits[rows]
            with self._sampling_watch:
                chosen = self._choose(logits, answers)
            now = time.monotonic()
            for answer, run in zip(answers, chosen, strict=True):
                self._totals.count_tokens(answer.sequence, len(run), now=now)
                outputs += self._desk.take(answer, run)
        return outputs

    def _choose(self, logits: Tensor, answers: list[Answer]) -> list[list[Sampled]]:
        """Choose the next token of every answer, after those that its draft foresaw."""
        states = [answer.sampling for answer in answers]
        if self._speculator is None:
            return [[one] for one in self._sampler.sample(logits, states)]
        sequences = [answer.sequence for answer in answers]
        chosen = self._speculator.choose(logits, list(zip(sequences, states, strict=True)))
        self._totals.drafted_tokens = self._speculator.drafted_tokens
        self._totals.accepted_tokens = self._speculator.accepted_tokens
        return chosen

    def _waiting_count(self) -> int:
        return self._book.arrived_count + len(self._scheduler.waiting)
