"""Which plain way fits a model: the one that does most at once among those that are right."""

import logging
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.config import EngineConfig
from inference.engine.memory_kinds import keeps_states
from inference.engine.placement import input_device
from inference.engine.plain.asking import Asking, DecoderAsking, ForgetfulAsking
from inference.engine.plain.runner import PlainRunner
from inference.engine.probing import difference_of, error_beside, in_words, is_exact, probe_tokens
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)

SHORT_TOKENS = 17
"""Of the second probe, so that rows of a batch differ in length."""

DECODED_TOKENS = 3
"""Of each probe, read one by one after the rest."""


@dataclass(frozen=True, slots=True)
class PlainWay:
    """How a model is run plainly.

    Attributes:
        name: for people.
        is_batched: whether sequences decode together.
        is_whole: whether a prompt must be read in one piece.
        ask: makes what asks the model.
    """

    name: str
    is_batched: bool
    is_whole: bool
    ask: Callable[[PreTrainedModel], Asking]


SAFEST = PlainWay("plain (one at a time, whole prompts)", False, True, DecoderAsking)
"""As `generate` does it with one prompt."""

WAYS = (
    PlainWay("plain", True, False, DecoderAsking),
    PlainWay("plain (whole prompts)", True, True, DecoderAsking),
    PlainWay("plain (one at a time)", False, False, DecoderAsking),
    SAFEST,
    PlainWay("plain (one at a time, without a memory)", False, False, ForgetfulAsking),
)
"""The fastest first."""


@dataclass(frozen=True, slots=True)
class ChosenPlainRunner:
    """A plain runner and how it wants to be fed.

    Attributes:
        way: how it computes, for people.
        runner: the runner.
        is_whole: whether a prompt must be read in one piece.
    """

    way: str
    runner: PlainRunner
    is_whole: bool


def choose_plain_runner(model: PreTrainedModel, config: EngineConfig) -> ChosenPlainRunner:
    """Return the first plain runner that gives the model's own scores.

    Two prompts of different length are read, in two chunks each, then decode together for a
    while; the model is asked the same without a memory.

    Raises:
        ModelLoadError: no way gives the model's own scores.
    """
    expected = own_plain_scores(model)
    largest = error_beside(lambda: plain_error(SAFEST, model, expected), model, expected)
    first_problem = None
    for way in ways_for(model, expected):
        problem = plain_problem(way, model, expected, largest=largest)
        if problem is None:
            runner = PlainRunner(way.ask(model), is_batched=way.is_batched)
            return ChosenPlainRunner(way.name, runner, way.is_whole)
        first_problem = first_problem or problem
        logger.info("%s does not run as %r: %s", config.name, way.name, problem)
    raise ModelLoadError(f"{config.name} cannot be served by this engine: {first_problem}")


def ways_for(model: PreTrainedModel, expected: Tensor) -> list[PlainWay]:
    """Return the ways that are tried.

    Some models with states forget them between two pieces of a prompt. What that changes can be
    less than what low precision does, so then such a model reads whole prompts.

    Args:
        model: to be run.
        expected: its scores, which tell their precision.
    """
    if is_exact(model, expected) or not keeps_states(model):
        return list(WAYS)
    return [way for way in WAYS if way.is_whole or way.ask is ForgetfulAsking]


@torch.inference_mode()
def own_plain_scores(model: PreTrainedModel) -> Tensor:
    """Scores after each probe, [2, V], by the model itself, without a memory."""
    device = input_device(model)
    rows = [
        model(input_ids=torch.tensor([tokens], device=device), use_cache=False).logits[0, -1]
        for tokens in _probes(model)
    ]
    return torch.stack(rows)


def plain_problem(
    way: PlainWay, model: PreTrainedModel, expected: Tensor, *, largest: float
) -> str | None:
    """Say why a way does not fit a model; None where its scores differ by no more than allowed."""
    try:
        difference = difference_of(_scores_by(way, model), expected)
    except Exception as error:  # any refusal means: not this way
        return in_words(error)
    return None if difference <= largest else f"its scores would differ by {difference:.1e}"


def plain_error(way: PlainWay, model: PreTrainedModel, expected: Tensor) -> float:
    """How far a way's scores are from the expected ones; NaN where it fails."""
    try:
        return difference_of(_scores_by(way, model), expected)
    except Exception:  # whatever a model raises
        return math.nan


def _scores_by(way: PlainWay, model: PreTrainedModel) -> Tensor:
    runner = PlainRunner(way.ask(model), is_batched=way.is_batched)
    return decoded_scores(runner, _probes(model), is_whole=way.is_whole)


def decoded_scores(
    runner: PlainRunner,
    probes: Iterable[list[int]],
    *,
    is_whole: bool,
    prompts: Iterable[int] = (1, 1),
) -> Tensor:
    """Scores after each probe, [B, V]: most of it is read, the rest decodes side by side.

    Args:
        runner: reads them; a new one.
        probes: tokens.
        is_whole: whether to read in one piece what else is read in two.
        prompts: how many tokens of each are the prompt.
    """
    sequences = [
        Sequence(f"probe {number}", tokens, prompt_tokens=prompt, max_tokens=len(tokens))
        for number, (tokens, prompt) in enumerate(zip(probes, prompts, strict=True))
    ]
    for sequence in sequences:
        end = len(sequence.tokens) - DECODED_TOKENS
        starts = [0, end] if is_whole else [0, end // 2, end]
        for start, stop in pairwise(starts):
            runner.compute([Chunk(sequence, start, stop - start, scored=0)])
    for left in range(DECODED_TOKENS, 0, -1):
        chunks = [Chunk(one, len(one.tokens) - left, 1, scored=1) for one in sequences]
        scores = runner.compute(chunks)
    return scores


def _probes(model: PreTrainedModel) -> list[list[int]]:
    """Two prompts of ordinary tokens, of different length."""
    long, other = probe_tokens(model)
    return [long, other[:SHORT_TOKENS]]
