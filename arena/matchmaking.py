"""Who meets whom: a pair drawn by weight, with the probability it was drawn with."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from arena.exceptions import NotEnoughModelsError

# Stored with every battle, so that an analysis knows what the probability means.
POLICY_VERSION = "weighted-1"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may be drawn: its name, and how often relative to the others."""

    name: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two models and their sides.

    Attributes:
        a, b: names; which model gets which side is a fair coin.
        probability: that this unordered pair is drawn, in (0, 1].
    """

    a: str
    b: str
    probability: float


def sample_pair(candidates: Sequence[Candidate], rng: random.Random) -> Pairing:
    """Draw two different models: the first by weight, the second by weight among the rest.

    Args:
        candidates: the models of the arena that live; weights of 0 are never drawn.
        rng: where chance comes from.

    Raises:
        NotEnoughModelsError: fewer than two candidates have a weight.
    """
    drawable = [candidate for candidate in candidates if candidate.weight > 0]
    if len(drawable) < 2:
        raise NotEnoughModelsError(len(drawable))
    first = _draw(drawable, rng)
    second = _draw([candidate for candidate in drawable if candidate is not first], rng)
    sides = [first, second]
    rng.shuffle(sides)
    probability = pair_probability(first, second, drawable)
    return Pairing(a=sides[0].name, b=sides[1].name, probability=probability)


def pair_probability(one: Candidate, other: Candidate, candidates: Sequence[Candidate]) -> float:
    """Return the probability that `sample_pair` draws these two, in any order.

    The pair comes up with either of them first: p(i) p(j | i) + p(j) p(i | j).
    """
    total = sum(candidate.weight for candidate in candidates)
    both = one.weight * other.weight / total
    probability = both / (total - one.weight) + both / (total - other.weight)
    return min(probability, 1.0)  # rounding may end just above 1


def _draw(candidates: Sequence[Candidate], rng: random.Random) -> Candidate:
    return rng.choices(candidates, weights=[candidate.weight for candidate in candidates])[0]
