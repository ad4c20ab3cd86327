import pytest
import torch

from inference.engine.drawing import draw, pick


@pytest.mark.parametrize("vocabulary", [1, 5, 128, 129, 1_000])
def test_a_share_finds_the_token_where_the_running_sum_passes_it(vocabulary):
    weights = torch.rand(1, vocabulary, generator=torch.Generator().manual_seed(0))
    shares = [0.0, 0.25, 0.5, 0.999]
    reached = weights[0].double().cumsum(0)

    found = pick(weights.repeat(4, 1), shares).tolist()

    assert found == [int((reached <= share * reached[-1]).sum()) for share in shares]


def test_no_share_finds_a_token_without_weight():
    weights = torch.zeros(3, 300)
    weights[:, [3, 130, 270]] = 1.0

    assert pick(weights, [0.0, 0.5, 1.0 - 2.0**-53]).tolist() == [3, 130, 270]


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_a_row_nobody_can_draw_from_gives_some_token_and_no_error(value):
    weights = torch.full((2, 300), value)

    tokens = draw(weights, torch.full((2, 1), 0.5), [0.1, 0.9]).tolist()

    assert all(0 <= token < 300 for token in tokens)


def test_a_tiny_nucleus_always_gives_the_likeliest_token():
    weights = torch.ones(8, 500)
    weights[:, 77] = 1.5
    masses = torch.full((8, 1), 1e-6)

    assert draw(weights, masses, [at / 8 for at in range(8)]).tolist() == [77] * 8


def test_a_nucleus_that_is_never_reached_keeps_every_token():
    weights = torch.tensor([[0.5, 0.3, 0.2]]).repeat(3, 1)
    masses = torch.full((3, 1), float("inf"))

    assert draw(weights, masses, [0.1, 0.6, 0.9]).tolist() == [0, 1, 2]
