"""Recipes: read from TOML, set over, checked."""

import pytest

from training.exceptions import RecipeError
from training.runner import RECIPES_DIR, find_recipe, recipe_names
from training.sft.config import read_recipe, recipe_from


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_can_be_read_and_carries_its_own_name(name):
    assert find_recipe(name, []).name == name


def test_the_demo_models_ship_as_recipes():
    assert {"demo-small", "demo-large"} <= set(recipe_names())


def test_values_are_set_over_the_file():
    path = RECIPES_DIR / "demo-small.toml"

    recipe = read_recipe(path, ["schedule.steps=7", "name=mine", "schedule.learning_rate=1"])

    assert recipe.schedule.steps == 7
    assert recipe.name == "mine"
    assert recipe.schedule.learning_rate == 1.0
    assert recipe.model == read_recipe(path).model


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("schedule.steps", "not of the form key=value"),
        ("=3", "not of the form key=value"),
        ("schedule.epochs=3", "unknown key 'schedule.epochs'; known here: steps"),
        ("schedule.steps=many", "'schedule.steps' must be of type int"),
        ("schedule.steps=true", "'schedule.steps' must be of type int"),
        ("schedule.steps=0", "'steps' cannot be 0"),
        ("schedule.learning_rate=nan", "'learning_rate' cannot be nan"),
        ("schedule=3", "'schedule' must be a section"),
        ("name.first=x", "'name' has no parts to set"),
        ("model.heads=3", "must be a multiple"),
        ("schedule.max_length=4096", "larger than"),
        ("name=../elsewhere", "'name' must be letters"),
        ('name=""', "'name' must be letters"),
        ("tokenizer.vocab_size=100", "must be at least 300"),
        ("schedule.decay_share=1.5", "'decay_share' cannot be 1.5"),
        ("dtype=int4", "must be float16 or float32"),
    ],
)
def test_an_impossible_value_is_refused(override, message):
    with pytest.raises(RecipeError, match=message):
        read_recipe(RECIPES_DIR / "demo-small.toml", [override])


def test_a_recipe_needs_a_name():
    with pytest.raises(RecipeError, match="needs a 'name'"):
        recipe_from({"seed": 1})


@pytest.mark.parametrize("content", ["name = ", "\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_text(content, encoding="latin-1")

    with pytest.raises(RecipeError, match="cannot read the recipe"):
        read_recipe(path)


def test_an_unknown_recipe_is_refused_with_the_names_of_those_there_are():
    with pytest.raises(RecipeError, match="shipped are demo-large, demo-small"):
        find_recipe("demo-huge", [])
