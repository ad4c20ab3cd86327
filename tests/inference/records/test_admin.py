import re

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from inference import selectors, services
from inference.models import ApiKey, LanguageModel


@pytest.mark.parametrize("name", ["languagemodel", "endpoint", "apikey"])
def test_every_list_and_form_opens(admin_client, name):
    assert admin_client.get(reverse(f"admin:inference_{name}_changelist")).status_code == 200
    assert admin_client.get(reverse(f"admin:inference_{name}_add")).status_code == 200
    search = {"q": "parrot"}
    assert (
        admin_client.get(reverse(f"admin:inference_{name}_changelist"), search).status_code == 200
    )


def test_a_key_made_in_the_admin_is_shown_once_and_works(admin_client):
    page = admin_client.post(
        reverse("admin:inference_apikey_add"),
        {"name": "laptop", "budget_period": "total"},
        follow=True,
    ).content.decode()

    text = re.search(r"fc_live_[0-9a-f]{8}_[A-Za-z0-9_-]{43}", page)
    assert text is not None
    assert selectors.valid_api_key(text[0]) == ApiKey.objects.get()
    change = admin_client.get(reverse("admin:inference_apikey_changelist")).content.decode()
    assert text[0] not in change
    assert not any(text[0] in entry.change_message for entry in LogEntry.objects.all())


def test_a_key_cannot_be_made_expired_or_deleted(admin_client):
    past = {"name": "old", "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}
    page = admin_client.post(reverse("admin:inference_apikey_add"), past).content.decode()
    assert "This moment has passed." in page

    key, _ = services.create_api_key(name="laptop")
    delete = admin_client.post(reverse("admin:inference_apikey_delete", args=[key.pk]))
    assert delete.status_code == 403


def test_a_key_keeps_working_when_its_name_is_edited(admin_client):
    key, text = services.create_api_key(name="laptop")

    admin_client.post(
        reverse("admin:inference_apikey_change", args=[key.pk]),
        {"name": "desk", "budget_period": "total"},
    )

    assert ApiKey.objects.get().name == "desk"
    assert selectors.valid_api_key(text) is not None


def test_keys_are_revoked_together(admin_client):
    pairs = [services.create_api_key(name=name) for name in ("laptop", "desk")]

    admin_client.post(
        reverse("admin:inference_apikey_changelist"),
        {"action": "revoke_keys", "_selected_action": [key.pk for key, _ in pairs]},
    )

    assert [selectors.valid_api_key(text) for _, text in pairs] == [None, None]


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("list_models", "is_listed", True),
        ("unlist_models", "is_listed", False),
        ("admit_to_arena", "is_in_arena", True),
        ("take_from_arena", "is_in_arena", False),
    ],
)
def test_models_are_placed_from_the_list(admin_client, action, field, value):
    model = LanguageModel.objects.create(name="parrot", **{field: not value})

    admin_client.post(
        reverse("admin:inference_languagemodel_changelist"),
        {"action": action, "_selected_action": [model.pk]},
    )

    model.refresh_from_db()
    assert getattr(model, field) is value
