import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from inference.engine.detokenizer import REPLACEMENT, Detokenizer

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


def byte_level_tokenizer():
    """As GPT-2, Llama 3 and Qwen have it, trained on a little text so that tokens are long."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=400,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return tokenizer


def byte_fallback_tokenizer():
    """As Llama 2 and Mistral have it: words with their space, bytes for all else."""
    words = ["<s>", "▁", "▁Hello", "▁there", "Hello", "a", "b", "▁你", "好", "!", "\n"]
    symbols = [*words, *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {symbol: number for number, symbol in enumerate(symbols)}
    tokenizer = Tokenizer(BPE(vocabulary, [], byte_fallback=True, unk_token="<s>"))
    tokenizer.add_special_tokens(["<s>"])
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return tokenizer


TOKENIZERS = {"byte level": byte_level_tokenizer(), "byte fallback": byte_fallback_tokenizer()}


@pytest.mark.parametrize("name", TOKENIZERS)
@given(text=st.one_of(st.text(), st.sampled_from(TEXTS)))
def test_any_text_comes_back_whole_from_real_tokenizers(name, text):
    tokenizer = TOKENIZERS[name]
    tokens = tokenizer.encode(text).ids

    pieces = pieces_of(tokenizer.decode, tokens)

    assert "".join(pieces) == tokenizer.decode(tokens)
    if REPLACEMENT not in text:
        assert not any(REPLACEMENT in piece for piece in pieces)


@given(tokens=st.lists(st.integers(1, 399), max_size=40))
def test_any_tokens_give_the_text_of_a_whole_decoding(tokens):
    decode = TOKENIZERS["byte level"].decode

    assert "".join(pieces_of(decode, tokens)) == decode(tokens)


@given(tokens=st.lists(st.integers(0, 10), max_size=40))
@example(tokens=[2, *[0] * 60, 3])
@example(tokens=[1, 2])
def test_hidden_special_tokens_do_not_swallow_the_space_after_them(tokens):
    decode = TOKENIZERS["byte fallback"].decode

    assert "".join(pieces_of(decode, tokens)) == decode(tokens)


def test_a_token_costs_the_same_at_the_end_of_a_long_answer():
    tokenizer = TOKENIZERS["byte level"]
    lengths = []

    def decode(tokens):
        lengths.append(len(tokens))
        return tokenizer.decode(tokens)

    pieces_of(decode, tokenizer.encode("Hello, world! 你好 " * 400).ids)

    early, late = lengths[20:200], lengths[-200:-20]
    assert max(late) <= max(early) <= 8
    assert abs(sum(late) - sum(early)) < len(early)


def test_spaced_tokens_stand_apart_and_break_no_character():
    spaced = frozenset([1, 2])

    def decode(tokens):
        return b"".join({1: b"<s>", 2: b"</s>"}.get(t, bytes([t])) for t in tokens).decode(
            errors="replace"
        )

    detokenizer = Detokenizer(decode, spaced=spaced)
    tokens = [1, *b"ab", 2, 1, 0xC3, 1]
    pieces = [detokenizer.feed(token) for token in tokens]

    assert "".join([*pieces, detokenizer.flush()]) == "<s> ab </s> <s> \ufffd <s>"
