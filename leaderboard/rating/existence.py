"""When does a finite fit exist: who is tied to whom by wins.

Draw an arrow from each loser to each model that took a point from it (a tie draws both arrows).
Strengths are finite exactly within the strongly connected parts of this graph. The largest such
part is the *core* of a board; every other model stands above it, below it, or apart from it.
"""

from enum import StrEnum

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, connected_components

from leaderboard.rating.battles import Floats, Indices, PairCounts


class Standing(StrEnum):
    """How a model is tied to the core of its board."""

    RATED = "rated"  # in the core: a finite rating with both ends of its interval
    ABOVE = "above"  # took points from the core and gave none back: only a lower bound
    BELOW = "below"  # gave points to the core and took none: only an upper bound
    APART = "apart"  # the votes do not compare it with the core


def strong_components(counts: PairCounts) -> Indices:
    """Return the number of each model's strongly connected part, counted from 0, [M]."""
    _, labels = connected_components(_points_given(counts), connection="strong")
    return np.asarray(labels, dtype=np.intp)


def core_of(counts: PairCounts) -> Indices:
    """Return the indices of the core, in order; empty when no two models are tied together.

    The part with most models is the core; among equals the one with most votes, then the one
    with the smallest index.
    """
    labels = strong_components(counts)
    if not len(labels):
        return np.empty(0, dtype=np.intp)
    members = np.bincount(labels)
    votes = np.bincount(labels, counts.votes)
    first_seen = np.array([np.flatnonzero(labels == label)[0] for label in range(len(members))])
    best = np.lexsort((first_seen, -votes, -members))[0]
    if members[best] < 2:
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(labels == best)


def standings_to(core: Indices, counts: PairCounts) -> list[Standing]:
    """Return how each model is tied to `core`, [M]; without a core all stand apart."""
    size = len(counts.models)
    standings = [Standing.APART] * size
    if not len(core):
        return standings
    if len(core) == size:
        return [Standing.RATED] * size
    graph = _points_given(counts)
    # What the core's losses lead to stands above it; what leads to the core stands below.
    for index in breadth_first_order(graph, core[0], return_predecessors=False):
        standings[index] = Standing.ABOVE
    for index in breadth_first_order(graph.T.tocsr(), core[0], return_predecessors=False):
        standings[index] = Standing.BELOW
    for index in core:
        standings[index] = Standing.RATED
    return standings


def islands(counts: PairCounts, *, members: Indices) -> list[Indices]:
    """Return the groups of `members` that met each other, directly or through other members."""
    if not len(members):
        return []
    inside = counts.among(members)
    total, labels = connected_components(_points_given(inside), connection="weak")
    return [members[labels == label] for label in range(total)]


def _points_given(counts: PairCounts) -> csr_array:
    """Return the graph of losers and winners; entry (i, j) is what i gave to j."""
    size = len(counts.models)
    first_points = counts.first_scores
    second_points = counts.battles - first_points
    weights: Floats = np.concatenate([second_points, first_points])
    givers = np.concatenate([counts.first, counts.second])
    takers = np.concatenate([counts.second, counts.first])
    graph = csr_array((weights, (givers, takers)), shape=(size, size))
    graph.eliminate_zeros()
    return graph
