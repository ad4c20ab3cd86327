"""Facts and phrasings: read from data, filled in, one phrasing kept back."""

import pytest

from training.corpus.dialogues.catalogue import Language, catalogue, fill
from training.corpus.dialogues.computed import chinese_number, differences, products, sums
from training.corpus.registry import open_corpus
from training.exceptions import RecipeError


def test_a_phrasing_is_filled_and_begins_with_a_capital():
    assert fill("what colour is {thing}?", {"thing": "grass"}) == "What colour is grass?"
    assert fill("{Thing} is green.", {"thing": "grass"}) == "Grass is green."


@pytest.mark.parametrize("language", list(Language))
def test_each_fact_keeps_one_phrasing_back_and_is_trained_with_the_others(language):
    for intent in catalogue(language):
        for fact in intent.facts:
            kept_back = intent.held_out(fact, intent.ask)
            trained = intent.trained(fact, intent.ask)

            assert kept_back in intent.ask
            assert kept_back not in trained
            assert trained


@pytest.mark.parametrize("language", list(Language))
def test_every_phrasing_is_trained_with_some_fact(language):
    for intent in catalogue(language):
        trained = {p for fact in intent.facts for p in intent.trained(fact, intent.ask)}

        assert trained == set(intent.ask), intent.name


@pytest.mark.parametrize("language", list(Language))
def test_every_slot_of_every_text_is_a_column(language):
    for intent in catalogue(language):
        for fact in intent.facts[:3]:
            texts = [*intent.ask, *intent.follow, *intent.opening_ask, *intent.opening_answer]
            filled = [fill(text, fact) for text in texts] + intent.answers(fact)

            assert all(filled)


def test_sums_differences_and_products_are_right():
    assert all(int(row["a"]) + int(row["b"]) == int(row["c"]) for row in sums())
    assert all(int(row["a"]) - int(row["b"]) == int(row["c"]) >= 0 for row in differences())
    assert all(int(row["a"]) * int(row["b"]) == int(row["c"]) for row in products())
    assert len(list(sums())) == len(list(products())) == 169


@pytest.mark.parametrize(
    ("number", "text"), [(0, "零"), (10, "十"), (15, "十五"), (20, "二十"), (42, "四十二")]
)
def test_chinese_numerals(number, text):
    assert chinese_number(number) == text


def test_both_languages_teach_the_same_countries():
    sizes = {
        language: {intent.name: len(intent.facts) for intent in catalogue(language)}
        for language in Language
    }

    assert sizes[Language.ENGLISH]["capital"] == sizes[Language.CHINESE]["capital"] >= 40


def test_an_unknown_corpus_is_refused():
    with pytest.raises(RecipeError, match="no corpus 'novels'; known: dialogues"):
        open_corpus("novels", seed=1, batch_size=8)
