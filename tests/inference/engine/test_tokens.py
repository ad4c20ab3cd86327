"""The tokenizer of an engine, for those who want no answer."""

import pytest

from inference.engine.tokens import Tokens
from inference.exceptions import InvalidRequestError
from tests.inference.engine.test_token_texts import sentencepiece_like


@pytest.fixture
def tokens(tokenizer):
    return Tokens(tokenizer, vocabulary_size=len(tokenizer))


def test_a_text_comes_back_from_its_tokens(tokens):
    text = "one 二 three 👋"

    assert tokens.decode(tokens.encode(text)) == text


def test_a_dressed_text_has_what_every_text_has_around_it(tokenizer):
    dresser = Tokens(tokenizer, vocabulary_size=len(tokenizer))
    dresser.opening, dresser.closing = [1], [2, 3]

    assert dresser.dress([7, 8]) == [1, 7, 8, 2, 3]


def test_the_dress_is_found_out(tokenizer):
    bare = sentencepiece_like()

    assert Tokens(bare, vocabulary_size=len(bare)).dress([5]) == [5]
    own = Tokens(tokenizer, vocabulary_size=len(tokenizer))
    assert own.dress(own.encode("word")) == own.encode("word", is_dressed=True)


@pytest.mark.parametrize("token", [-1, 10**6])
def test_a_token_the_model_lacks_is_refused(tokens, token):
    with pytest.raises(InvalidRequestError, match=str(token)):
        tokens.decode([0, token])
