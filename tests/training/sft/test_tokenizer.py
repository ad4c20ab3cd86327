"""The tokenizer: exact on every text, one token a word, digits and characters alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerFast

from tests.support.tiny_training import tiny_tokenizer


def round_trip(text):
    tokenizer = tiny_tokenizer()
    return tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world!",
        " a space in front and behind ",
        "法国的首都是巴黎。ok",
        "日本語のテスト 한국어",
        "😀 👩‍👩‍👧 🇫🇷",
        "def f(x):\n    return x + 15\n\n\n",
        "naïve café ǐ \t tab",
        "\u0000\ufffd",
    ],
)
def test_decoding_gives_the_text_back(text):
    assert round_trip(text) == text


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_makes_the_round_trip(text):
    assert round_trip(text) == text


def test_a_word_is_the_same_token_at_the_start_and_inside():
    tokenizer = tiny_tokenizer()

    start = tokenizer("capital", add_special_tokens=False)["input_ids"]
    inside = tokenizer("the capital", add_special_tokens=False)["input_ids"]

    assert inside[-len(start) :] == start


def test_digits_and_chinese_characters_stand_alone():
    tokens = tiny_tokenizer().tokenize("123首都是")

    assert len([token for token in tokens if token.strip("Ġ")]) >= 6
    assert {"1", "2", "3"} <= set(tokens)


def test_decoding_token_by_token_gives_the_same_text():
    tokenizer = tiny_tokenizer()
    text = "The sum is 15. 和是 15。😀"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]

    pieces, seen = [], ""
    for end in range(1, len(ids) + 1):
        now = tokenizer.decode(ids[:end])
        if now.endswith("\ufffd"):
            continue
        pieces.append(now[len(seen) :])
        seen = now

    assert "".join(pieces) == text


def test_the_chat_template_writes_roles_and_ends_of_turns():
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Bye"},
    ]

    text = tiny_tokenizer().apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )

    assert text == (
        "<|begin|><|system|>Be brief.<|end|><|user|>Hi<|end|><|assistant|>Hello!<|end|>"
        "<|user|>Bye<|end|><|assistant|>"
    )


def test_a_saved_tokenizer_is_the_same_when_loaded(tmp_path):
    tiny_tokenizer().save_pretrained(tmp_path)

    loaded = PreTrainedTokenizerFast.from_pretrained(tmp_path)

    text = "<|user|>法国 15 <|end|>"
    assert loaded(text)["input_ids"] == tiny_tokenizer()(text)["input_ids"]
    assert loaded.chat_template == tiny_tokenizer().chat_template
    assert loaded.eos_token == "<|end|>"
