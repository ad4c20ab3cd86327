import pytest
from django.db import IntegrityError, transaction

from inference import selectors
from inference.exceptions import ModelNotFoundError
from inference.models import ApiKey, Endpoint, LanguageModel

pytestmark = pytest.mark.django_db


@pytest.fixture
def models() -> None:
    LanguageModel.objects.create(name="parrot")
    LanguageModel.objects.create(name="crow", is_in_arena=False)
    LanguageModel.objects.create(name="ghost", is_listed=False)
    LanguageModel.objects.create(name="dodo", sampling_weight=0)


def test_listed_and_arena_models_are_different_choices(models):
    assert [model.name for model in selectors.listed_models()] == ["crow", "dodo", "parrot"]
    assert [model.name for model in selectors.arena_models()] == ["ghost", "parrot"]


def test_a_model_is_found_by_name_listed_or_not(models):
    assert selectors.model_named("ghost").name == "ghost"
    with pytest.raises(ModelNotFoundError, match="unicorn"):
        selectors.model_named("unicorn")


def test_only_a_card_can_hide_a_model(models):
    assert selectors.is_hidden("ghost")
    assert not selectors.is_hidden("parrot")
    assert not selectors.is_hidden("unicorn")


def test_cards_come_in_one_query(models, django_assert_num_queries):
    with django_assert_num_queries(1):
        cards = selectors.cards_of(frozenset({"ghost", "parrot", "unicorn"}))

    assert sorted(cards) == ["ghost", "parrot"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: LanguageModel.objects.create(name="parrot"),
        lambda: LanguageModel.objects.create(name=""),
        lambda: LanguageModel.objects.create(name="owl", sampling_weight=-1),
        lambda: ApiKey.objects.create(name="raw", key_hash="too short"),
        lambda: Endpoint.objects.create(
            model=LanguageModel.objects.get(name="crow"), url="smoke://h/v1"
        ),
        lambda: Endpoint.objects.create(
            model=LanguageModel.objects.get(name="crow"), url="http://h/v1", slots=0
        ),
    ],
    ids=["name twice", "no name", "weight", "raw key", "no HTTP", "no slots"],
)
def test_the_database_is_the_last_judge(models, make):
    with pytest.raises(IntegrityError), transaction.atomic():
        make()
