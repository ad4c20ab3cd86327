"""What strangers write is read as what it is, and else as nothing."""

import pytest

from inference.exceptions import ProviderError
from inference.generation import Usage
from inference.providers.reading import Cumulative, count_at, dig, list_at, text_at, usage_of

DATA = {"a": [{"b": "text", "n": 3, "digits": "12", "yes": True}], "list": [1]}


def test_a_path_leads_to_a_value():
    assert dig(DATA, "a", 0, "b") == "text"
    assert text_at(DATA, "a", 0, "b") == "text"
    assert list_at(DATA, "list") == [1]
    assert count_at(DATA, "a", 0, "n") == 3
    assert count_at(DATA, "a", 0, "digits") == 12


@pytest.mark.parametrize("path", [("x",), ("a", 1), ("a", "b"), ("list", 0, "b"), ("a", 0, "b", 0)])
def test_a_path_that_breaks_off_leads_to_nothing(path):
    assert dig(DATA, *path) is None
    assert text_at(DATA, *path) == ""
    assert list_at(DATA, *path) == []
    assert count_at(DATA, *path) == 0


@pytest.mark.parametrize("value", [-1, True, 1.5, "-1", "1.5", "٣", "9" * 16, 10**12, None, []])
def test_what_is_no_count_counts_as_nothing(value):
    assert count_at({"n": value}, "n") == 0


def test_counts_that_nobody_told_are_left_to_others():
    assert usage_of(prompt=0, completion=0) is None
    assert usage_of(prompt=3, completion=0, cached=2) == Usage(3, 0, 2)


def test_an_answer_told_again_gives_what_is_new():
    answer = Cumulative()

    assert [answer.added(text) for text in ("", "Hel", "Hel", "Hello")] == ["", "Hel", "", "lo"]


def test_an_answer_that_takes_words_back_is_an_error():
    answer = Cumulative()
    answer.added("Hello")

    with pytest.raises(ProviderError):
        answer.added("Hell")
