"""The probe of adapters: the runner that serves must give each one's own scores, beside others."""

import math

import torch
from torch import Tensor
from transformers import PreTrainedModel

from inference.engine.block_manager import BlockManager
from inference.engine.config import EngineConfig
from inference.engine.probing import PROBE_TOKENS, difference_of, largest_error, probe_tokens
from inference.engine.runner_choice import ChosenRunner
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import ModelLoadError


def check_adapters(
    chosen: ChosenRunner,
    expected: dict[str, Tensor],
    model: PreTrainedModel,
    config: EngineConfig,
) -> None:
    """Compare what a runner computes with every adapter, beside the bare model, with the truth.

    Args:
        chosen: the runner; its cache is idle.
        expected: scores of the two probes by adapter, [2, V] each; the empty name is the model.
        model: the base.
        config: of the engine; with weights in fewer bits only sound numbers are asked for.

    Raises:
        ModelLoadError: some scores differ.
    """
    limit = largest_error(model, expected[""]) if config.weights == "as_loaded" else math.inf
    for adapter, scores in expected.items():
        found = _scores_of(chosen, model, adapter)
        if found is None:  # the window has no room for probes
            return
        for row, wanted in zip(found, (scores[0], expected[""][1]), strict=True):
            difference = difference_of(row, wanted)
            if not difference < limit:
                raise ModelLoadError(
                    f"{config.name} computes adapter {adapter!r} wrongly: its scores would differ"
                    f" by {difference:.1e}"
                )


@torch.inference_mode()
def _scores_of(chosen: ChosenRunner, model: PreTrainedModel, adapter: str) -> Tensor | None:
    """Scores after the first probe with an adapter and after the second without, [2, V]."""
    blocks = BlockManager(
        block_count=chosen.shape.block_count,
        block_size=chosen.shape.block_size,
        row_blocks=chosen.shape.row_blocks,
        reuse_prefixes=False,
    )
    sequences = []
    for name, tokens in zip((adapter, ""), probe_tokens(model), strict=True):
        sequence = Sequence("probe", tokens, prompt_tokens=len(tokens), max_tokens=1, adapter=name)
        blocks.settle(sequence, expected_tokens=len(tokens))
        if len(tokens) > chosen.context_length or not blocks.grow(sequence, len(tokens)):
            return None
        sequences.append(sequence)
    runner, rest = chosen.runner, PROBE_TOKENS if chosen.is_whole else PROBE_TOKENS // 3
    failures = []
    try:
        if rest < PROBE_TOKENS:
            chunks = [Chunk(one, 0, PROBE_TOKENS - rest, scored=0) for one in sequences]
            failures += runner.run(chunks).failures
        chunks = [Chunk(one, PROBE_TOKENS - rest, rest, scored=1) for one in sequences]
        result = runner.run(chunks)
        failures += result.failures
    finally:
        for sequence in sequences:
            runner.forget(sequence)
    for _, error in failures:
        raise ModelLoadError(f"an adapter cannot be computed: {error}") from error
    order = [sequences.index(chunk.sequence) for chunk in result.chunks]
    return result.logits[torch.tensor(order, device=result.logits.device).argsort()]
