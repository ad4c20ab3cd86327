import torch

from inference.engine.lora.low_rank import LowRank, join_low_ranks


def random_low_rank(rank: int, width: int, height: int) -> LowRank:
    return LowRank(torch.randn(rank, width), torch.randn(height, rank))


def test_joined_additions_add_what_each_does_to_its_part():
    torch.manual_seed(0)
    parts = [random_low_rank(2, 6, 4), None, random_low_rank(3, 6, 5)]
    x = torch.randn(7, 6)

    joined = join_low_ranks(parts, [4, 2, 5])

    assert joined is not None
    assert joined.down.shape == (5, 6)
    expected = torch.cat([parts[0](x), torch.zeros(7, 2), parts[2](x)], dim=1)
    torch.testing.assert_close(joined(x), expected)


def test_a_projection_that_nobody_changes_has_no_addition():
    assert join_low_ranks([None, None], [4, 2]) is None


def test_a_projection_alone_keeps_its_own_addition():
    part = random_low_rank(2, 6, 4)

    assert join_low_ranks([part], [4]) is part
