"""Pairs are drawn by weight, with the probability they were drawn with."""

import random
from collections import Counter
from itertools import combinations

import pytest

from arena.exceptions import NotEnoughModelsError
from arena.matchmaking import Candidate, pair_probability, sample_pair

CANDIDATES = [Candidate("a", 1.0), Candidate("b", 2.0), Candidate("c", 4.0), Candidate("d", 0.5)]


def test_the_probabilities_of_all_pairs_add_up_to_one() -> None:
    pairs = combinations(CANDIDATES, 2)

    total = sum(pair_probability(one, other, CANDIDATES) for one, other in pairs)

    assert total == pytest.approx(1.0)


def test_pairs_come_up_as_often_as_their_probability_says() -> None:
    rng = random.Random(7)
    rounds = 20_000

    drawn = [sample_pair(CANDIDATES, rng) for _ in range(rounds)]

    counts = Counter(frozenset((pairing.a, pairing.b)) for pairing in drawn)
    for pairing in drawn[:200]:
        share = counts[frozenset((pairing.a, pairing.b))] / rounds
        assert share == pytest.approx(pairing.probability, abs=0.015)


def test_sides_are_a_fair_coin() -> None:
    rng = random.Random(1)
    pair = [Candidate("a", 9.0), Candidate("b", 1.0)]

    left = Counter(sample_pair(pair, rng).a for _ in range(4000))

    assert left["a"] / 4000 == pytest.approx(0.5, abs=0.04)


def test_two_models_meet_for_certain() -> None:
    pairing = sample_pair([Candidate("a", 3.0), Candidate("b", 0.1)], random.Random(0))

    assert {pairing.a, pairing.b} == {"a", "b"}
    assert pairing.probability == pytest.approx(1.0)


@pytest.mark.parametrize(
    "candidates", [[], [Candidate("a")], [Candidate("a"), Candidate("b", 0.0)]]
)
def test_fewer_than_two_models_with_a_weight_make_no_pair(candidates: list[Candidate]) -> None:
    with pytest.raises(NotEnoughModelsError):
        sample_pair(candidates, random.Random(0))
