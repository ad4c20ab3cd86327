import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

from inference.engine.detokenizer import Detokenizer

TEXTS = [
    "Hello, world!",
    "你好，世界。",
    "👩‍👩‍👧‍👦 and 🇫🇷",
    "naïve café – ok",
    "नमस्ते",
    "a\n\n  b\t",
]


def decode_bytes(tokens):
    """A tokenizer whose tokens are bytes."""
    return bytes(tokens).decode("utf-8", errors="replace")


def pieces_of(decode, tokens):
    detokenizer = Detokenizer(decode)
    pieces = [detokenizer.feed(token) for token in tokens]
    return [*pieces, detokenizer.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_no_piece_ever_shows_half_a_character(text):
    pieces = pieces_of(decode_bytes, text.encode())

    assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces)


@given(st.text())
def test_any_text_comes_back_whole(text):
    assert "".join(pieces_of(decode_bytes, text.encode())) == text


@given(st.binary(max_size=60))
def test_bytes_that_make_no_text_come_back_as_replacement_characters(data):
    assert "".join(pieces_of(decode_bytes, data)) == decode_bytes(data)


@given(st.binary(max_size=60))
def test_text_is_never_held_back_for_long(data):
    detokenizer = Detokenizer(decode_bytes)

    for token in data:
        detokenizer.feed(token)
        assert len(detokenizer._held) < 8


def test_the_window_stays_short():
    lengths = []

    def decode(tokens):
        lengths.append(len(tokens))
        return decode_bytes(tokens)

    pieces_of(decode, ("多い文字 " * 200).encode())

    assert max(lengths) <= 12


def test_spaces_of_sentencepiece_tokenizers_stay_between_words():
    words = ["▁Hello", "▁there", "▁world", "▁one", "▁two", "▁three", "▁", "Hello"]
    tokenizer = Tokenizer(BPE({word: number for number, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokens = [0, 1, 2, 6, 6, 3, 4, 5]

    assert "".join(pieces_of(tokenizer.decode, tokens)) == tokenizer.decode(tokens)


def test_a_flush_with_nothing_held_adds_nothing():
    detokenizer = Detokenizer(decode_bytes)
    detokenizer.feed(ord("a"))

    assert detokenizer.flush() == ""
