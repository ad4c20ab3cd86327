"""Whether a model fits where it is to run, and what would fit where it does not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from transformers import PreTrainedConfig

from inference.exceptions import ModelLoadError
from inference.free_memory import available_bytes
from inference.loading.checkpoint_files import StoredTensor
from inference.loading.devices import memory_by_device
from inference.loading.estimate import OVERHEAD_SHARE, Need, need_of
from inference.loading.options import SPREADABLE, LoadOptions
from inference.loading.prequantized import Prequantized

GIB = 2**30
SHORTEST_WINDOW = 256


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model before it is loaded.

    Attributes:
        name: as people know it.
        tensors: of its files.
        config: the model's.
        dtype: precision it would be loaded in.
        window: the model's, in tokens.
        prequantized: how its files hold few bits already; None where they do not.
    """

    name: str
    tensors: Sequence[StoredTensor]
    config: PreTrainedConfig
    dtype: torch.dtype
    window: int
    prequantized: Prequantized | None = None

    def need(self, options: LoadOptions, *, dtype: torch.dtype | None = None) -> Need:
        """Return what it takes when it is loaded with the options."""
        bits = 8 if options.load_8bit else 4 if options.load_4bit else 16
        return need_of(
            self.tensors,
            self.config,
            dtype=dtype or self.dtype,
            bits=bits,
            window=self.window,
            wanted_window=options.context_length,
            packed_bits=self.prequantized.dense_bits if self.prequantized else None,
        )


def check_fits(candidate: Candidate, options: LoadOptions, *, ranks: int = 1) -> None:
    """Refuse a model for which there is no memory, before a weight is read.

    Args:
        candidate: the model.
        options: how it is to be loaded.
        ranks: processes with an accelerator each that share the weights.

    Raises:
        ModelLoadError: it does not fit; the message says what is needed, what is free, and which
            options would make it fit.
    """
    need, free = candidate.need(options), free_bytes(options)
    total = need.total // ranks if options.device != "cpu" else need.total
    if total <= free:
        return
    ways = list(_ways_that_fit(candidate, options))
    advice = f"it would fit with {', or with '.join(ways)}" if ways else "take a smaller model"
    raise ModelLoadError(
        f"{candidate.name} does not fit: it needs about {total / GIB:.2f} GiB"
        f" ({need.weights / GIB:.2f} of weights, {need.cache / GIB:.2f} of KV cache for"
        f" {need.tokens:,} tokens), {_place(options)} {free / GIB:.2f} GiB free; {advice}"
    )


def free_bytes(options: LoadOptions) -> int:
    """Return the bytes that are free where a model is to be loaded."""
    if not options.is_spread:
        return available_bytes(torch.device(options.device))
    memory = memory_by_device(options.device, options.num_gpus, options.max_gpu_memory)
    free = sum(memory.values())
    return free + (available_bytes(torch.device("cpu")) if options.cpu_offloading else 0)


def _place(options: LoadOptions) -> str:
    """Say who has the memory."""
    if options.device == "cpu":
        return "this machine has"
    places = options.device if options.num_gpus == 1 else f"{options.num_gpus} {options.device}"
    return f"{places} and CPU have" if options.cpu_offloading else f"{places} has"


def _ways_that_fit(candidate: Candidate, options: LoadOptions) -> Iterator[str]:
    """Yield the options, as they are written, by which the model would fit."""
    if candidate.dtype is torch.float32 and not options.stores_fewer_bits:
        half = candidate.need(options, dtype=torch.bfloat16)
        if half.total <= free_bytes(options):
            yield "--dtype bfloat16"
    for words, change in _changes(candidate, options):
        changed = change()
        if candidate.need(changed).total <= free_bytes(changed):
            yield words
    window = _longest_window(candidate.need(options), free_bytes(options))
    if window:
        yield f"--context-length {window}"


def _changes(
    candidate: Candidate, options: LoadOptions
) -> Iterator[tuple[str, Callable[[], LoadOptions]]]:
    """Yield other ways to load a model, each with the options it takes."""
    with_ = partial(replace, options)
    if not (options.stores_fewer_bits or candidate.prequantized or options.tensor_parallel):
        yield "--load-8bit", partial(with_, load_8bit=True)
        yield "--load-4bit", partial(with_, load_4bit=True)
    if options.device in SPREADABLE and not options.tensor_parallel:
        there = getattr(torch, options.device).device_count()
        if there > options.num_gpus and isinstance(options.max_gpu_memory, int | None):
            yield f"--num-gpus {there}", partial(with_, num_gpus=there)
        if not (options.load_4bit or options.cpu_offloading or candidate.prequantized):
            words = "--cpu-offloading" if options.load_8bit else "--load-8bit --cpu-offloading"
            yield words, partial(with_, load_8bit=True, cpu_offloading=True)


def _longest_window(need: Need, free: int) -> int:
    """Return the longest shorter window that fits, in steps of 256 tokens; 0 where none does."""
    left = free / (1 + OVERHEAD_SHARE) - need.weights
    if left <= 0 or need.cache_per_token == 0:
        return 0
    tokens = int(left // need.cache_per_token) // SHORTEST_WINDOW * SHORTEST_WINDOW
    return tokens if tokens < need.tokens else 0
