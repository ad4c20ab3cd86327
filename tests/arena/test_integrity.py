"""Names are found however they are written; shared and everyday words are not."""

import pytest

from arena.integrity import chained_hash, identity_terms, leaks_identity

TERMS_A = identity_terms("maker/Amber-7b", "Amber 7B", "Amber Works")
TERMS_B = identity_terms("basalt-wolf", "", "Basalt Labs")


@pytest.mark.parametrize(
    "text",
    [
        "Are you amber-7b?",
        "I am AMBER 7B, how can I help?",
        "I am maker/amber-7b.",
        "Trained by Basalt Labs.",
        "basalt_wolf here",
        "我是basalt-wolf。",
    ],
)
def test_a_named_model_is_a_leak(text: str) -> None:
    assert leaks_identity(["Hello", text], terms_a=TERMS_A, terms_b=TERMS_B)


@pytest.mark.parametrize("text", ["", "The amber light", "bamber-7bs", "A wolf on basalt"])
def test_everyday_words_are_no_leak(text: str) -> None:
    assert not leaks_identity([text], terms_a=TERMS_A, terms_b=TERMS_B)


def test_a_maker_of_both_models_tells_nothing() -> None:
    one, other = identity_terms("small", "The House"), identity_terms("large", "The House")

    assert not leaks_identity(["I am made by The House"], terms_a=one, terms_b=other)
    assert leaks_identity(["I am small"], terms_a=one, terms_b=other)


def test_very_short_names_are_not_looked_for() -> None:
    assert identity_terms("R1", "", "AI") == frozenset()
    assert not leaks_identity(["R1"], terms_a=frozenset(), terms_b=frozenset())


def test_a_hash_depends_on_the_content_and_on_what_came_before() -> None:
    content = {"winner": "a", "battle": "x"}

    same = chained_hash("0" * 64, {"battle": "x", "winner": "a"})

    assert chained_hash("0" * 64, content) == same
    assert chained_hash("1" * 64, content) != same
    assert chained_hash("0" * 64, {**content, "winner": "b"}) != same
    assert len(same) == 64
