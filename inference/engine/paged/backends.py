"""Which kernels for paged attention there are here, the best first."""

import logging
from collections.abc import Callable, Iterator

import torch

from inference.engine.paged.backend import PagedBackend
from inference.engine.paged.flash import FlashAttention2, FlashAttention3
from inference.engine.paged.flex import FlexAttention
from inference.engine.paged.gathered import GatheredAttention
from inference.engine.paged.varlen import TorchVarlenAttention

logger = logging.getLogger(__name__)

HOPPER = (9, 0)
AMPERE = (8, 0)
LOW_PRECISION = (torch.float16, torch.bfloat16)


def backends_for(
    device: torch.device, dtype: torch.dtype, *, block_size: int | None
) -> Iterator[PagedBackend]:
    """Make the backends that may compute a model, one at a time and the best first.

    Args:
        device: a CUDA device.
        dtype: the model's precision.
        block_size: of the cache, where it is given; None lets each have its own.
    """
    for make in _makers(torch.cuda.get_device_capability(device), dtype):
        try:
            backend = make()
        except (ImportError, AttributeError) as error:
            logger.info("attention by %s is not here: %s", make.__name__, error)
            continue
        if block_size is None or block_size % backend.block_multiple == 0:
            yield backend
        else:
            logger.info(
                "attention by %s needs blocks of a multiple of %d tokens, not of %d",
                backend.name, backend.block_multiple, block_size,
            )  # fmt: skip


def _makers(
    capability: tuple[int, int], dtype: torch.dtype
) -> Iterator[Callable[[], PagedBackend]]:
    """What a device of this generation can run in this precision."""
    if dtype in LOW_PRECISION:
        if capability[0] == HOPPER[0]:
            yield FlashAttention3
        if capability >= AMPERE:
            yield FlashAttention2
            yield TorchVarlenAttention
    yield FlexAttention
    yield GatheredAttention
