from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from inference import keys, selectors, services
from inference.exceptions import InvalidRequestError
from inference.models import ApiKey, LanguageModel

pytestmark = pytest.mark.django_db


def test_a_new_model_gets_a_card():
    model = services.register_model(name="parrot", path="/models/parrot", licence="MIT")

    assert LanguageModel.objects.get() == model
    assert (model.is_listed, model.is_in_arena, model.sampling_weight) == (True, True, 1.0)


def test_registering_again_keeps_what_people_edited():
    services.register_model(name="parrot", description="Speaks.", path="/old")
    LanguageModel.objects.update(description="Repeats.", is_listed=False, sampling_weight=3)

    again = services.register_model(
        name="parrot", description="Speaks.", organisation="Birds", path="/new", context_length=512
    )

    again.refresh_from_db()
    assert (again.description, again.is_listed, again.sampling_weight) == ("Repeats.", False, 3)
    assert (again.organisation, again.path, again.context_length) == ("Birds", "/new", 512)


def test_what_a_model_takes_follows_its_weights():
    services.register_model(name="owl", path="/models/owl", takes_images=True)

    kept = services.register_model(name="owl")
    assert (kept.takes_images, kept.path) == (True, "/models/owl")
    assert services.register_model(name="owl", takes_images=False).takes_images is False
    assert LanguageModel.objects.get().takes_images is False


def test_registering_without_news_writes_nothing(django_assert_num_queries):
    services.register_model(name="parrot", path="/models/parrot")

    with django_assert_num_queries(3):  # one read between the two ends of a savepoint
        services.register_model(name="parrot", path="/models/parrot")


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 129, 'a"b', "名", "a\n"])
def test_a_name_nobody_could_ask_for_is_refused(name):
    with pytest.raises(InvalidRequestError):
        services.register_model(name=name)

    assert not LanguageModel.objects.exists()


def test_models_are_placed_together():
    for name in ("crow", "parrot"):
        services.register_model(name=name)

    count = services.place_models(models=LanguageModel.objects.all(), is_in_arena=False)

    assert count == 2
    assert not selectors.arena_models().exists()
    assert selectors.listed_models().count() == 2


def test_a_key_is_stored_as_its_hash_alone():
    stored, text = services.create_api_key(name="laptop")

    values = [str(value) for value in ApiKey.objects.values_list().get()]
    assert keys.KEY_PATTERN.match(text)
    assert stored.prefix in text
    assert not any(text in value or text[-43:] in value for value in values)


@pytest.mark.parametrize("name", ["", "x" * 101])
def test_a_key_needs_a_name_of_a_fair_length(name):
    with pytest.raises(InvalidRequestError):
        services.create_api_key(name=name)


def test_a_key_that_would_have_expired_is_not_made():
    with pytest.raises(InvalidRequestError, match="past"):
        services.create_api_key(name="laptop", expires_at=timezone.now())


def test_a_key_is_revoked_once_and_for_good():
    key, text = services.create_api_key(name="laptop")
    services.revoke_api_key(key=key)
    moment = ApiKey.objects.get().revoked_at

    services.revoke_api_key(key=key)

    assert ApiKey.objects.get().revoked_at == moment
    assert selectors.valid_api_key(text) is None


def test_a_use_is_written_down_once_a_minute(django_assert_num_queries):
    key, _ = services.create_api_key(name="laptop")
    services.note_api_key_use(key=key)
    key.refresh_from_db()

    with django_assert_num_queries(0):
        services.note_api_key_use(key=key)

    key.last_used_at -= timedelta(minutes=2)
    with django_assert_num_queries(1):
        services.note_api_key_use(key=key)


def test_a_key_is_found_with_its_user_in_one_query(django_assert_num_queries):
    user = User.objects.create(username="ada")
    key, text = services.create_api_key(name="laptop", user=user)

    with django_assert_num_queries(1):
        found = selectors.valid_api_key(text)
        assert found is not None
        assert (found, found.user) == (key, user)


@pytest.mark.parametrize("text", ["", "EMPTY", "fc_live_", "fc_live_0123abcd_short", "名" * 60])
def test_a_text_that_is_no_key_costs_no_query(django_assert_num_queries, text):
    with django_assert_num_queries(0):
        assert selectors.valid_api_key(text) is None
