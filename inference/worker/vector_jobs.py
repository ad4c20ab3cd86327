"""Requests for vectors: many texts each, a few of them in the engine at a time."""

import math
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from inference.bus.outbox import Output
from inference.exceptions import ContextLengthExceededError, InferenceError
from inference.generation import Failure, FinishReason, Usage
from inference.requests import EmbeddingRequest
from inference.worker.engine_protocol import Engine, StepOutput

AT_ONCE = 64
"""Chunks of one request in the engine at a time, so that its queue stays open for others."""

SEPARATOR = "#"


@dataclass(frozen=True, slots=True)
class Chunk:
    """A text, or a part of one that is longer than the window.

    Attributes:
        text: which text of the request.
        content: what is read, as text or tokens.
        is_part: whether other parts of the text follow or went before.
    """

    text: int
    content: str | tuple[int, ...]
    is_part: bool = False


@dataclass(slots=True, eq=False)
class Job:
    """One request and what has come of it.

    Attributes:
        request: what is wanted.
        left: chunks that are not in the engine yet.
        running: chunks in the engine, by the ids they have there.
        sums: for every text the vectors of its chunks, weighted with their tokens, [D].
        prompt_tokens: tokens read so far.
    """

    request: EmbeddingRequest
    left: Iterator[Chunk]
    running: dict[str, Chunk] = field(default_factory=dict)
    sums: dict[int, np.ndarray] = field(default_factory=dict)
    prompt_tokens: int = 0
    begun: int = 0


class VectorJobs:
    """Feeds texts to an engine and puts their vectors together.

    Args:
        engine: turns texts into vectors; `output` is called from its thread, the rest from any.
        adapters: the engine's adapters by the names they answer to; none where None.
    """

    def __init__(self, engine: Engine, adapters: Mapping[str, str] | None = None) -> None:
        self._engine = engine
        self._adapters = adapters or {}
        self._lock = threading.Lock()
        self._jobs: dict[str, Job] = {}

    def begin(self, request: EmbeddingRequest) -> None:
        """Let a request's texts become vectors.

        Raises:
            InferenceError: the first of them cannot.
        """
        job = Job(request, self._chunks(request))
        with self._lock:
            self._jobs[request.request_id] = job
        try:
            self._feed(job)
        except InferenceError:
            self.cancel(request.request_id)
            raise

    def cancel(self, request_id: str) -> None:
        """Forget a request; what the engine still says of it is dropped."""
        with self._lock:
            job = self._jobs.pop(request_id, None)
            running = list(job.running) if job else []
        for name in running:
            self._engine.cancel(name)

    def owns(self, output: StepOutput) -> bool:
        """Whether an output is about a chunk of a job, now or in the past."""
        return SEPARATOR in output.request_id

    def output(self, step: StepOutput) -> Output | None:
        """Take what a step did to a chunk; return the end of its request where that is it."""
        request_id = step.request_id.partition(SEPARATOR)[0]
        with self._lock:
            job = self._jobs.get(request_id)
            chunk = job.running.pop(step.request_id, None) if job else None
        if job is None or chunk is None:
            return None
        if step.embedding is None:
            return self._broken(request_id, step.failure)
        tokens = step.usage.prompt_tokens if step.usage else 1
        job.prompt_tokens += tokens
        weighted = np.asarray(step.embedding, dtype=np.float64) * (tokens if chunk.is_part else 1)
        job.sums[chunk.text] = job.sums.get(chunk.text, 0) + weighted
        try:
            self._feed(job)
        except InferenceError as error:
            return self._broken(request_id, Failure(error.code, str(error)))
        return None if job.running else self._finished(job)

    def _broken(self, request_id: str, failure: Failure | None) -> Output:
        self.cancel(request_id)
        if failure is None:
            return Output(request_id, finish_reason=FinishReason.CANCELLED)
        return Output(request_id, finish_reason=FinishReason.ERROR, failure=failure)

    def _finished(self, job: Job) -> Output:
        request_id = job.request.request_id
        with self._lock:
            self._jobs.pop(request_id, None)
        rows = np.stack([job.sums[index] for index in range(len(job.request.texts))])
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Output(
            request_id,
            finish_reason=FinishReason.STOP,
            usage=Usage(job.prompt_tokens, 0),
            result={"width": rows.shape[1], "vectors": rows.astype("<f4").tobytes()},
        )

    def _feed(self, job: Job) -> None:
        """Fill the job's places in the engine."""
        while len(job.running) < AT_ONCE and (chunk := next(job.left, None)) is not None:
            name = f"{job.request.request_id}{SEPARATOR}{job.begun}"
            job.begun += 1
            with self._lock:
                job.running[name] = chunk
            content = chunk.content
            self._engine.submit_embedding(
                name,
                text=content if isinstance(content, str) else None,
                token_ids=None if isinstance(content, str) else content,
                pooling=job.request.pooling,
                normalize=not chunk.is_part,
                truncate=job.request.truncates,
                adapter=self._adapters.get(job.request.model, ""),
            )

    def _chunks(self, request: EmbeddingRequest) -> Iterator[Chunk]:
        for index, text in enumerate(request.texts):
            if request.splits:
                yield from self._parts(index, text)
            else:
                yield Chunk(index, text)

    def _parts(self, index: int, text: str | tuple[int, ...]) -> Iterator[Chunk]:
        """Cut a text into chunks that fit, each dressed as a text of its own."""
        tokens = self._engine.tokens
        bare = tokens.encode(text) if isinstance(text, str) else list(text)
        room = self._engine.context_length - len(tokens.dress([]))
        if len(bare) <= room:
            yield Chunk(index, text)
            return
        if room < 1:
            raise ContextLengthExceededError(prompt_tokens=len(bare), limit_tokens=room)
        size = math.ceil(len(bare) / math.ceil(len(bare) / room))  # chunks of about one length
        for start in range(0, len(bare), size):
            dressed = tokens.dress(bare[start : start + size])
            yield Chunk(index, tuple(dressed), is_part=True)
