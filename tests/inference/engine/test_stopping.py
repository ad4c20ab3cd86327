import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.stopping import StopStrings

short = st.text(alphabet="ab", max_size=20)


def feed_all(stops, pieces):
    watcher = StopStrings(stops)
    shown = []
    for piece in pieces:
        shown.append(watcher.feed(piece))
        if watcher.is_met:
            return watcher, shown
    return watcher, [*shown, watcher.flush()]


@pytest.mark.parametrize(
    ("stops", "pieces", "text"),
    [
        (["###"], ["Hi", "##", "#", "more"], "Hi"),
        (["###"], ["Hi ##", " there"], "Hi ## there"),
        (["###"], ["Hi ##"], "Hi ##"),
        (["END", "N"], ["the E", "ND"], "the "),
        (["User:", "\n\n"], ["a\n", "\nUser:"], "a"),
        (["aab"], ["a", "a", "a", "b"], "a"),
        ([], ["a", "b"], "ab"),
        (["结束"], ["你好结", "束了"], "你好"),
    ],
)
def test_the_answer_ends_before_the_earliest_stop_string(stops, pieces, text):
    assert "".join(feed_all(stops, pieces)[1]) == text


def test_nothing_of_a_stop_string_is_shown_before_it_is_sure():
    watcher = StopStrings(["STOP"])

    assert [watcher.feed(piece) for piece in ("go S", "T", "O")] == ["go ", "", ""]
    assert watcher.feed("R") == "STOR"


def test_after_a_stop_nothing_more_is_shown():
    watcher = StopStrings(["."])
    watcher.feed("a.b")

    assert (watcher.is_met, watcher.feed("c"), watcher.flush()) == (True, "", "")


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=4), max_size=3), st.lists(short))
def test_pieces_end_where_the_whole_text_would(stops, pieces):
    watcher, shown = feed_all(stops, pieces)
    whole = "".join(pieces)
    found = [whole.find(stop) for stop in stops if stop in whole]

    if not found:
        assert not watcher.is_met
        assert "".join(shown) == whole
    else:
        assert watcher.is_met
        # A longer stop that begins earlier may still be incomplete when a shorter one is met.
        text = "".join(shown)
        assert whole.startswith(text)
        assert any(whole.startswith(stop, len(text)) for stop in stops)
