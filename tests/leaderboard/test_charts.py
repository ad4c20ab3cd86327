import pytest

from leaderboard.charts import MARGIN, WIDTH, axis_for, shade
from leaderboard.rating.battles import count_battles
from leaderboard.rating.scoreboard import rate
from tests.leaderboard.rating.samples import battles

CORE = "A B a, B A a, A B tie, A C a, C A a, B C tie"


def ratings(text: str):
    return list(rate(count_battles(battles(text))).ratings)


def test_everything_is_drawn_inside_the_chart_in_order():
    lines = ratings(f"{CORE}, U A a, A W a")
    axis = axis_for(lines)

    for line in lines:
        whisker = axis.whisker(line)
        assert 0 < whisker.label < WIDTH
        assert MARGIN <= whisker.start <= whisker.centre <= whisker.end <= WIDTH - MARGIN


def test_an_open_end_has_an_arrow():
    lines = ratings(f"{CORE}, U A a")
    newcomer = next(line for line in lines if line.model == "U")

    whisker = axis_for(lines).whisker(newcomer)

    assert whisker.is_open_above
    assert whisker.end == WIDTH - MARGIN


def test_newcomers_do_not_stretch_the_axis():
    assert axis_for(ratings(CORE)) == axis_for(ratings(f"{CORE}, {', '.join(['U A a'] * 500)}"))


@pytest.mark.parametrize("text", [CORE, "A B a", f"{CORE}, U A a", "A B tie"])
def test_the_axis_has_a_handful_of_round_ticks(text):
    axis = axis_for(ratings(text))

    assert 1 <= len(axis.ticks) <= 6
    assert all(tick.points % 5 == 0 for tick in axis.ticks)
    assert [tick.x for tick in axis.ticks] == sorted(tick.x for tick in axis.ticks)


@pytest.mark.parametrize(("share", "expected"), [(0, 0), (0.5, 5), (1, 10), (0.949, 9), (2, 10)])
def test_shades_go_from_lost_over_even_to_won(share, expected):
    assert shade(share) == expected
