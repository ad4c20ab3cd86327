"""Attention among whole texts side by side in one row of tokens: each sees itself alone.

Nothing is padded, so no mask is needed between texts, and a text's vector does not depend on
its company. As with `inference.engine.attention`, models come here by the name of their
attention, and the step travels with the call, as the keyword `packed_texts`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own spelling)
from torch import Tensor, nn
from transformers import AttentionInterface

TEXT_ATTENTION = "packed_texts"


@dataclass(frozen=True, slots=True)
class EqualTexts:
    """Neighbouring texts of the same length.

    Attributes:
        first: column of the first one's first token.
        texts: how many.
        length: tokens of each.
    """

    first: int
    texts: int
    length: int

    @property
    def columns(self) -> slice:
        """Their part of the row."""
        return slice(self.first, self.first + self.texts * self.length)


class TextStep:
    """The attention of one step.

    Args:
        lengths: tokens of each text, in the order of the row.
    """

    def __init__(self, lengths: Sequence[int]) -> None:
        self._groups = list(equal_neighbours(lengths))

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *,
        scaling: float | None,
        window: int | None,
        is_causal: bool,
    ) -> Tensor:
        """Let each text attend to itself.

        Args:
            query: [heads, N, D].
            key: [key heads, N, D].
            value: [key heads, N, D of values].
            scaling: factor on the scores; None means 1/sqrt(D).
            window: a query sees keys that are nearer than this; None sees all.
            is_causal: whether a query sees no later key.

        Returns:
            The mixed values, [N, heads, D of values].
        """
        parts = []
        for group in self._groups:
            mixed = F.scaled_dot_product_attention(
                _split(query, group),
                _split(key, group),
                _split(value, group),
                attn_mask=visible_keys(group.length, window, is_causal, query.device),
                is_causal=is_causal and not _is_narrow(window, group.length),
                scale=scaling,
                enable_gqa=query.shape[0] != key.shape[0],
            )
            parts.append(mixed.transpose(1, 2).flatten(0, 1))  # [texts * length, heads, D]
        return parts[0] if len(parts) == 1 else torch.cat(parts)


def equal_neighbours(lengths: Sequence[int]) -> Iterator[EqualTexts]:
    """Put neighbours of the same length together."""
    first = 0
    for length, texts in groupby(lengths):
        count = len(list(texts))
        yield EqualTexts(first, count, length)
        first += count * length


def visible_keys(
    length: int, window: int | None, is_causal: bool, device: torch.device
) -> Tensor | None:
    """Return which keys the queries of a text see, bool [length, length].

    None where that is all of them, or all that are not later.
    """
    if window is None or not _is_narrow(window, length):
        return None
    places = torch.arange(length, device=device)
    ahead = places[:, None] - places  # how far a query is behind its key
    near = ahead.abs() < window
    return near & (ahead >= 0) if is_causal else near


def _is_narrow(window: int | None, length: int) -> bool:
    return window is not None and window < length


def _split(tensor: Tensor, group: EqualTexts) -> Tensor:
    """The group's part of [heads, N, D], as [texts, heads, length, D]."""
    part = tensor[:, group.columns]
    parts = part.view(part.shape[0], group.texts, group.length, part.shape[2])
    return parts.transpose(0, 1)


def text_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    packed_texts: TextStep,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    is_causal: bool | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attend as transformers asks for it.

    Args:
        module: the attention layer; where nobody says, it knows whether it is causal.
        query: [1, heads, N, D].
        key: [1, key heads, N, D].
        value: [1, key heads, N, D of values].
        attention_mask: None; what transformers passes where no mask is registered.
        packed_texts: the attention of the step.
        scaling: factor on the scores; None means 1/sqrt(D).
        sliding_window: a query sees keys that are nearer than this.
        softcap: must be None.
        is_causal: whether a query sees no later key.

    Returns:
        The mixed values, [1, N, heads, D of values], and no weights.

    Raises:
        NotImplementedError: the layer changes its scores in a way that is not known here.
    """
    is_plain = softcap is None and getattr(module, "sinks", None) is None
    if attention_mask is not None or not is_plain:
        raise NotImplementedError("attention with a bias, a cap or sinks")
    if is_causal is None:
        is_causal = bool(getattr(module, "is_causal", True))
    mixed = packed_texts.attend(
        query[0],
        key[0],
        value[0],
        scaling=scaling,
        window=sliding_window,
        is_causal=is_causal,
    )
    return mixed.unsqueeze(0), None


AttentionInterface.register(TEXT_ATTENTION, text_attention)
