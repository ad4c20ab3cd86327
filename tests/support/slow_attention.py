"""Attention straight from the formula, to compare fast ways with."""

import torch
from torch import Tensor

from inference.engine.attention import ScoreOptions


def attend_slowly(queries: Tensor, keys: Tensor, values: Tensor, options: ScoreOptions) -> Tensor:
    """The last tokens of one sequence attend to all of it, one query at a time.

    Args:
        queries: of the last n tokens, [n, heads, D].
        keys: of all tokens, [T, key heads, D].
        values: [T, key heads, D of values].
        options: how to score.
    """
    total, count = len(keys), len(queries)
    groups = queries.shape[1] // keys.shape[1]
    mixed = queries.new_empty(count, queries.shape[1], values.shape[2])
    scaling = queries.shape[2] ** -0.5 if options.scaling is None else options.scaling
    for query in range(count):
        position = total - count + query
        window = options.sliding_window or total
        seen = slice(max(0, position - window + 1), position + 1)
        for head in range(queries.shape[1]):
            scores = keys[seen, head // groups] @ queries[query, head] * scaling
            if options.softcap is not None:
                scores = torch.tanh(scores / options.softcap) * options.softcap
            if options.sinks is not None:
                scores = torch.cat([scores, options.sinks[head : head + 1].to(scores.dtype)])
            weights = scores.softmax(-1)[: seen.stop - seen.start]
            mixed[query, head] = weights @ values[seen, head // groups]
    return mixed
