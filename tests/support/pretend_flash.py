"""Stand-ins for the flash-attn packages: their signatures and documented meaning, in plain torch.

They check what the real kernels check: integer types, layouts, sizes of pages.
"""

import sys
from types import ModuleType

import pytest
import torch
from torch import Tensor

from inference.engine.attention import ScoreOptions
from tests.support.slow_attention import attend_slowly

calls: list[str] = []
"""Which functions were called, in order."""


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0,
    softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, alibi_slopes=None,
    deterministic=False, return_attn_probs=False, block_table=None,
):  # fmt: skip
    """Version 2: flat queries over pages."""
    calls.append("varlen")
    assert isinstance(max_seqlen_q, int)
    assert int((cu_seqlens_q[1:] - cu_seqlens_q[:-1]).max()) <= max_seqlen_q
    lengths = cu_seqlens_k[1:] - cu_seqlens_k[:-1]
    assert int(lengths.max()) <= max_seqlen_k
    _check(cu_seqlens_q, cu_seqlens_k)
    assert k.shape[1] % 256 == 0
    assert len(cu_seqlens_q) == len(cu_seqlens_k) == len(block_table) + 1
    return _attend(
        q, k, v, cu_seqlens_q, lengths, block_table, softmax_scale, causal, window_size, softcap
    )


def flash_attn_with_kvcache(
    q, k_cache, v_cache, k=None, v=None, rotary_cos=None, rotary_sin=None, cache_seqlens=None,
    cache_batch_idx=None, cache_leftpad=None, block_table=None, softmax_scale=None, causal=False,
    window_size=(-1, -1), softcap=0.0, rotary_interleaved=True, alibi_slopes=None, num_splits=0,
    return_softmax_lse=False,
):  # fmt: skip
    """Version 2: as many queries for each sequence, over pages."""
    calls.append("with_kvcache")
    _check(cache_seqlens)
    assert k_cache.shape[1] % 256 == 0
    many, count = q.shape[:2]
    starts = torch.arange(many + 1, dtype=torch.int32) * count
    mixed = _attend(
        q.flatten(0, 1), k_cache, v_cache, starts, cache_seqlens, block_table, softmax_scale,
        causal, window_size, softcap,
    )  # fmt: skip
    return mixed.view(many, count, *mixed.shape[1:])


def flash_attn_3_with_kvcache(
    q, k_cache, v_cache, k=None, v=None, qv=None, rotary_cos=None, rotary_sin=None,
    cache_seqlens=None, cache_batch_idx=None, cache_leftpad=None, page_table=None,
    cu_seqlens_q=None, cu_seqlens_k_new=None, max_seqlen_q=None, rotary_seqlens=None,
    q_descale=None, k_descale=None, v_descale=None, softmax_scale=None, causal=False,
    window_size=(-1, -1), attention_chunk=0, softcap=0.0, rotary_interleaved=True,
    scheduler_metadata=None, num_splits=0, pack_gqa=None, sm_margin=0, return_softmax_lse=False,
):  # fmt: skip
    """Version 3: flat queries over pages of any size."""
    calls.append("with_kvcache 3")
    _check(cache_seqlens, cu_seqlens_q)
    assert int((cu_seqlens_q[1:] - cu_seqlens_q[:-1]).max()) <= max_seqlen_q
    return _attend(
        q, k_cache, v_cache, cu_seqlens_q, cache_seqlens, page_table, softmax_scale, causal,
        window_size, softcap,
    )  # fmt: skip


def varlen_attn(
    query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, return_aux=None, scale=None,
    window_size=(-1, -1), enable_gqa=False, seqused_k=None, block_table=None, num_splits=None,
):  # fmt: skip
    """torch's own: no page tables, and keys that do not count behind those that do."""
    calls.append("torch varlen")
    assert block_table is None
    assert enable_gqa or query.shape[1] == key.shape[1]
    _check(cu_seq_q, cu_seq_k, seqused_k)
    assert int((cu_seq_q[1:] - cu_seq_q[:-1]).max()) <= max_q
    assert int((cu_seq_k[1:] - cu_seq_k[:-1]).max()) <= max_k
    assert len(key) == int(cu_seq_k[-1])
    pages = torch.arange(len(key), dtype=torch.int32).view(len(seqused_k), -1)
    return _attend(
        query, key.unsqueeze(1), value.unsqueeze(1), cu_seq_q, seqused_k, pages, scale,
        window_size[1] == 0, window_size, 0.0,
    )  # fmt: skip


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the stand-ins be imported as the packages, for one test."""
    second, third = ModuleType("flash_attn"), ModuleType("flash_attn_interface")
    monkeypatch.setattr(second, "flash_attn_varlen_func", flash_attn_varlen_func, raising=False)
    monkeypatch.setattr(second, "flash_attn_with_kvcache", flash_attn_with_kvcache, raising=False)
    monkeypatch.setattr(third, "flash_attn_with_kvcache", flash_attn_3_with_kvcache, raising=False)
    monkeypatch.setitem(sys.modules, "flash_attn", second)
    monkeypatch.setitem(sys.modules, "flash_attn_interface", third)
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    calls.clear()


def _check(*tensors: Tensor) -> None:
    for tensor in tensors:
        assert tensor.dtype == torch.int32
        assert tensor.is_contiguous()


def _attend(q, k, v, starts, lengths, pages, scale, causal, window_size, softcap):
    """What all of them compute."""
    _check(starts, lengths, pages)
    assert causal
    assert q.dim() == 3
    assert k.stride(-1) == v.stride(-1) == q.stride(-1) == 1
    left, right = window_size
    assert right in (-1, 0)
    # Their window counts the keys before the query's own.
    window = None if left == -1 else left + 1
    options = ScoreOptions(scale, window, softcap or None)
    mixed = []
    for row, length in enumerate(lengths.tolist()):
        own = slice(int(starts[row]), int(starts[row + 1]))
        keys = k[pages[row].long()].flatten(0, 1)[:length]
        values = v[pages[row].long()].flatten(0, 1)[:length]
        mixed.append(attend_slowly(q[own], keys, values, options))
    return torch.cat(mixed)
