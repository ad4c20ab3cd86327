import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.sampling_state import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.speculation.prompt_lookup import (
    LONGEST_NGRAM,
    SHORTEST_NGRAM,
    NgramIndex,
    PromptLookup,
)
from inference.engine.speculation.proposer import Draft, DraftRequest
from inference.generation import SamplingParams


def request_for(tokens, limit=4):
    sequence = Sequence("a", tokens, len(tokens), 100)
    return DraftRequest(sequence, SamplingState(SamplingParams(), random.Random(0)), limit)


def slow_continuation(tokens, limit):
    """The longest end of the text that occurred before, looked for from the back."""
    for length in range(min(LONGEST_NGRAM, len(tokens)), SHORTEST_NGRAM - 1, -1):
        wanted = tokens[len(tokens) - length :]
        for end in range(len(tokens) - 1, length - 1, -1):
            if tokens[end - length : end] == wanted:
                copied = list(tokens)
                for at in range(end, end + limit):
                    copied.append(copied[at])
                return copied[len(tokens) :]
    return []


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        ([1, 2, 3, 4, 5, 1, 2], [3, 4, 5, 1]),
        ([1, 2, 3, 9, 2, 3, 8, 2, 3], [8, 2, 3, 8]),  # the latest of two
        ([7, 1, 2, 3, 8, 2, 3, 9, 7, 1, 2, 3], [8, 2, 3, 9]),  # the longer one before the later
        ([1, 2, 1, 2], [1, 2, 1, 2]),  # goes round
        ([5, 5, 5], [5, 5, 5, 5]),
        ([1, 2, 3, 4], []),
        ([1, 2, 3, 1], []),  # one equal token is no reason
        ([1], []),
    ],
)
def test_what_followed_the_same_words_is_guessed_again(tokens, expected):
    drafts = PromptLookup().propose([request_for(tokens)])

    assert drafts == [Draft(expected)]


def test_no_guess_is_longer_than_allowed():
    drafts = PromptLookup().propose([request_for([1, 2, 3, 4, 1, 2], limit) for limit in (1, 3, 9)])

    assert [draft.tokens for draft in drafts] == [[3], [3, 4, 1], [3, 4, 1, 2, 3, 4, 1, 2, 3]]


@given(st.lists(st.integers(0, 3), max_size=60), st.integers(1, 6))
def test_the_index_finds_what_a_search_from_the_back_finds(tokens, limit):
    index = NgramIndex()
    for end in range(0, len(tokens) + 1, 3):
        index.continuation(tokens[:end], limit)

    assert index.continuation(tokens, limit) == slow_continuation(tokens, limit)


def test_a_long_text_is_read_once():
    class Counting(list):
        reads = 0

        def __getitem__(self, key):
            Counting.reads += 1
            return super().__getitem__(key)

    text = Counting(random.Random(0).choices(range(50), k=2_000))
    index = NgramIndex()
    index.continuation(text, 4)
    Counting.reads = 0

    for token in range(100):
        text.append(token % 50)
        index.continuation(text, 4)

    assert Counting.reads <= 100 * (LONGEST_NGRAM - SHORTEST_NGRAM + 2)


def test_a_sequence_that_ended_leaves_nothing():
    lookup = PromptLookup()
    wish = request_for([1, 2, 1, 2])
    lookup.propose([wish])

    lookup.forget(wish.sequence)
    lookup.forget(wish.sequence)

    assert lookup._indexes == {}
