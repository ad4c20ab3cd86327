"""Administrators add servers elsewhere, and see how they do."""

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from inference.models import Endpoint
from inference.services import register_model

ADD = "admin:inference_endpoint_add"
LIST = "admin:inference_endpoint_changelist"


def form(**values: Any) -> dict[str, Any]:
    """Return the form's fields for a server near by."""
    return {
        "model": register_model(name="far").pk,
        "dialect": "vllm",
        "url": "http://vllm:8000/v1",
        "remote_name": "",
        "key_variable": "",
        "system_prompt": "",
        "recommended": "{}",
        "extra_body": "{}",
        "options": "{}",
        "dropped_params": "[]",
        "slots": 4,
        "requests_per_minute": 0,
        "is_enabled": "on",
        **values,
    }


def test_a_server_is_added(admin_client) -> None:
    admin_client.post(reverse(ADD), form())

    endpoint = Endpoint.objects.get()
    assert (endpoint.dialect, endpoint.url, endpoint.slots) == ("vllm", "http://vllm:8000/v1", 4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"url": "ftp://host"}, "an address begins with http"),
        ({"url": ""}, "vllm needs an address"),
        ({"dialect": "openai"}, "openai needs a key"),
        ({"dialect": "smoke"}, "Select a valid choice"),
        ({"key_variable": "SECRET_KEY"}, "is no name for a server"),
        ({"key_variable": "DATABASE_URL"}, "is no name for a server"),
        ({"key_variable": "FASTCHAT_METRICS_TOKEN"}, "is no name for a server"),
        ({"key_variable": "AWS_SECRET_ACCESS_KEY"}, "is no name for a server"),
        ({"options": '{"typo": 1}'}, "no option"),
        ({"options": "[]"}, "options must be a JSON object"),
        ({"options": ""}, "options must be a JSON object"),
        ({"recommended": '{"top_p": 3}'}, "the recommended top_p must be"),
        ({"dropped_params": '["typo"]'}, "is no sampling parameter"),
        ({"slots": 0}, "greater than or equal to 1"),
        ({"dialect": "column", "takes_images": "on"}, "column takes no images"),
        ({"extra_body": '{"x": "' + "x" * 20_000 + '"}'}, "larger than 20000 bytes"),
    ],
)
def test_a_form_that_cannot_work_is_refused(
    admin_client, values: dict[str, Any], words: str
) -> None:
    page = admin_client.post(reverse(ADD), form(**values)).content.decode()

    assert words in page
    assert not Endpoint.objects.exists()


def test_the_list_shows_who_rests_and_why_and_an_action_ends_it(admin_client) -> None:
    model = register_model(name="far")
    resting = Endpoint.objects.create(
        model=model,
        url="http://one/v1",
        key_variable="NOT_SET_ANYWHERE",
        failures_in_row=7,
        rests_until=timezone.now() + timedelta(minutes=5),
        last_failure="provider_silent",
    )
    Endpoint.objects.create(model=model, url="http://two/v1", failures_in_row=2)
    page = admin_client.get(reverse(LIST)).content.decode()

    chosen = {"action": "wake_endpoints", "_selected_action": [resting.pk]}
    admin_client.post(reverse(LIST), chosen)

    resting.refresh_from_db()
    assert "rests: provider_silent" in page
    assert "2 failures" in page
    assert (resting.failures_in_row, resting.rests_until) == (0, None)


def test_an_endpoint_is_added_on_its_models_page(admin_client) -> None:
    model = register_model(name="far")
    page = reverse("admin:inference_languagemodel_change", args=[model.pk])
    rows = {
        "endpoints-TOTAL_FORMS": 1,
        "endpoints-INITIAL_FORMS": 0,
        "endpoints-0-dialect": "vllm",
        "endpoints-0-url": "http://vllm:8000/v1",
        "endpoints-0-is_enabled": "on",
        "endpoints-0-model": model.pk,
    }

    admin_client.post(page, {"name": "far", "sampling_weight": 1, **rows})

    assert Endpoint.objects.get().url == "http://vllm:8000/v1"
