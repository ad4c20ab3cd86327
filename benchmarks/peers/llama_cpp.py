"""Llama.cpp through llama-cpp-python's plain bindings: one sequence a stream in one batch."""

import ctypes
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp  # type: ignore[import-not-found]
import numpy as np

from benchmarks.peers.gguf_file import write_gguf
from benchmarks.peers.job import Answer, Job, Stopwatch, serve

BATCH_TOKENS = 512


class _Context:
    """A model with its cache, and one batch that is filled again and again."""

    def __init__(self, job: Job) -> None:
        llama_cpp.llama_backend_init()
        file = write_gguf(Path(job.folder), job.dtype)
        model_params = llama_cpp.llama_model_default_params()
        model_params.n_gpu_layers = 0
        self._model = llama_cpp.llama_model_load_from_file(str(file).encode(), model_params)
        params = llama_cpp.llama_context_default_params()
        params.n_seq_max = max(job.streams)
        params.n_ctx = max(job.streams) * -(-job.window // 256) * 256
        params.n_batch = params.n_ubatch = BATCH_TOKENS
        params.n_threads = params.n_threads_batch = job.threads
        self._context = llama_cpp.llama_init_from_model(self._model, params)
        vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._vocabulary_size = llama_cpp.llama_vocab_n_tokens(vocabulary)
        self._batch = llama_cpp.llama_batch_init(BATCH_TOKENS, 0, 1)

    def clear(self) -> None:
        """Forget all sequences."""
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self._context), True)

    def compute(self, tokens: Sequence[tuple[int, int, int, bool]]) -> list[int]:
        """Compute tokens (token, position, sequence, wants scores); return the likeliest nexts.

        Raises:
            RuntimeError: llama.cpp reports an error.
        """
        batch: Any = self._batch
        batch.n_tokens = len(tokens)
        for at, (token, position, sequence, is_wanted) in enumerate(tokens):
            batch.token[at] = token
            batch.pos[at] = position
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = sequence
            batch.logits[at] = is_wanted
        if (status := llama_cpp.llama_decode(self._context, batch)) != 0:
            raise RuntimeError(f"llama_decode gave {status}")
        wanted = [at for at, token in enumerate(tokens) if token[3]]
        return [self._likeliest(at) for at in wanted]

    def _likeliest(self, at: int) -> int:
        scores = llama_cpp.llama_get_logits_ith(self._context, at)
        array = ctypes.cast(scores, ctypes.POINTER(ctypes.c_float * self._vocabulary_size))
        return int(np.frombuffer(array.contents, dtype=np.float32).argmax())


def open_peer(job: Job) -> Answer:
    """Load the model; return what answers with it."""
    context = _Context(job)
    tokenizer = json.loads((Path(job.folder) / "tokenizer.json").read_text(encoding="utf-8"))
    numbers: dict[str, int] = tokenizer["model"]["vocab"]
    pieces = {number: piece for piece, number in numbers.items()}

    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        context.clear()
        ids = [[numbers[character] for character in prompt] for prompt in prompts]
        latest: list[int] = []
        for group in _groups(ids):
            rows = [
                (token, position, stream, position == len(ids[stream]) - 1)
                for stream in group
                for position, token in enumerate(ids[stream])
            ]
            latest += context.compute(rows)
            for stream in group:
                watch.token(stream)
        texts = [pieces[token] for token in latest]
        for step in range(new_tokens - 1):
            latest = context.compute(
                [(token, len(ids[s]) + step, s, True) for s, token in enumerate(latest)]
            )
            for stream, token in enumerate(latest):
                texts[stream] += pieces[token]
                watch.token(stream)

    return answer


def _groups(ids: list[list[int]]) -> list[range]:
    """Put whole prompts together as far as a batch has room."""
    together = max(1, BATCH_TOKENS // len(ids[0]))
    return [range(start, min(start + together, len(ids))) for start in range(0, len(ids), together)]


if __name__ == "__main__":
    serve(open_peer)
