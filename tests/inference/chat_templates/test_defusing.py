import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.chat_templates.defusing import ZERO_WIDTH_SPACE, defuse

SPECIAL = ["<s>", "</s>", "<<s>", "<|im_end|>", "[INST]"]


@pytest.mark.parametrize(
    "text", ["</s>", "a</s></s>b", "<<s>", "x<|im_end|>y", "[INST]", "<<<s>s>"]
)
def test_no_special_token_is_left_and_the_text_reads_the_same(text):
    safe = defuse(text, SPECIAL)

    assert not any(token in safe for token in SPECIAL)
    assert safe.replace(ZERO_WIDTH_SPACE, "") == text


@given(st.text(alphabet="<s>/|imend_[INT]", max_size=30))
def test_whatever_is_written_becomes_harmless(text):
    safe = defuse(text, SPECIAL)

    assert not any(token in safe for token in SPECIAL)
    assert safe.replace(ZERO_WIDTH_SPACE, "") == text


@pytest.mark.parametrize("text", ["", "a < b", "2 </ s>", "你好"])
def test_ordinary_text_is_not_touched(text):
    assert defuse(text, SPECIAL) == text


def test_tokens_of_one_character_are_left_alone():
    assert defuse("a_b", ["_"]) == "a_b"
