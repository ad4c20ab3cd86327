"""Which kernels for paged attention there are here, the best first."""

import logging
from collections.abc import Callable, Iterator

import torch

from inference.engine.config import EngineConfig
from inference.engine.paged.backend import PagedBackend
from inference.engine.paged.flash import FlashAttention2, FlashAttention3
from inference.engine.paged.flex import FlexAttention
from inference.engine.paged.gathered import GatheredAttention
from inference.engine.paged.varlen import TorchVarlenAttention

logger = logging.getLogger(__name__)

HOPPER = 9
AMPERE = 8
"""Generations of CUDA devices: the first number of their compute capability."""

LOW_PRECISION = (torch.float16, torch.bfloat16)

BY_NAME: dict[str, Callable[[], PagedBackend]] = {
    "flash3": FlashAttention3,
    "flash2": FlashAttention2,
    "varlen": TorchVarlenAttention,
    "gathered": GatheredAttention,
    "flex": FlexAttention,
}
"""Backends by the names that a configuration may say; see `EngineConfig.attention`."""


def backends_for(
    device: torch.device, dtype: torch.dtype, config: EngineConfig
) -> Iterator[PagedBackend]:
    """Make the backends that may compute a model, one at a time and the best first.

    Args:
        device: a CUDA device.
        dtype: the model's precision.
        config: names the one that is wanted, or leaves the choice; a block size that it states
            must suit.
    """
    for make in _makers(device, dtype, config):
        try:
            backend = make()
        except (ImportError, AttributeError) as error:
            logger.info("attention by %s is not here: %s", make.__name__, error)
            continue
        if (config.block_size or backend.block_size) % backend.block_multiple == 0:
            yield backend
        else:
            logger.info(
                "attention by %s needs blocks of a multiple of %d tokens, not of %d",
                backend.name, backend.block_multiple, config.block_size,
            )  # fmt: skip


def _makers(
    device: torch.device, dtype: torch.dtype, config: EngineConfig
) -> list[Callable[[], PagedBackend]]:
    """What is to be tried."""
    if config.attention != "auto":
        named = BY_NAME.get(config.attention)
        return [named] if named else []
    found: list[Callable[[], PagedBackend]] = []
    if dtype in LOW_PRECISION:
        generation, _ = torch.cuda.get_device_capability(device)
        if generation == HOPPER:
            found.append(FlashAttention3)
        if generation >= AMPERE:
            found += [FlashAttention2, TorchVarlenAttention]
    return [*found, GatheredAttention]
