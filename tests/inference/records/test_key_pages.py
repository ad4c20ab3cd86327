"""Terms of keys and what they use, in the admin."""

import csv
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from inference import services
from inference.admin.usage_pages import CHART_HEIGHT, bars_of
from inference.models import ApiKey, ApiUsage

USAGE = "admin:inference_apiusage_changelist"


@pytest.fixture
def key(db) -> ApiKey:
    return services.create_api_key(name="laptop")[0]


def test_a_key_is_made_with_its_terms(admin_client):
    fields = {
        "name": "laptop",
        "scopes": ["chat", "models"],
        "allowed_models": "crow, parrot\nparrot\n",
        "requests_per_minute": "5",
        "tokens_per_minute": "0",
        "token_budget": "1000",
        "budget_period": "month",
    }

    page = admin_client.post(reverse("admin:inference_apikey_add"), fields, follow=True)

    assert re.search(r"fc_live_[0-9a-f]{8}_", page.content.decode())
    made = ApiKey.objects.get()
    assert (made.scopes, made.allowed_models) == (["chat", "models"], ["crow", "parrot"])
    assert (made.requests_per_minute, made.tokens_per_minute) == (5, 0)
    assert (made.token_budget, made.budget_period) == (1000, "month")


def test_terms_are_edited_and_shown(admin_client, key):
    page = reverse("admin:inference_apikey_change", args=[key.pk])
    admin_client.post(
        page, {"name": "laptop", "allowed_models": "lab/crow", "budget_period": "total"}
    )
    services.record_api_usage(key=key, model="crow", prompt_tokens=1200)

    shown = admin_client.get(page).content.decode()

    assert ApiKey.objects.get().allowed_models == ["lab/crow"]
    assert "lab/crow" in shown
    assert "1,200" in shown


@pytest.mark.parametrize(
    "fields", [{"scopes": ["all"]}, {"allowed_models": "名"}, {"token_budget": "-1"}]
)
def test_terms_that_mean_nothing_are_refused(admin_client, fields):
    body = {"name": "laptop", "budget_period": "total"} | fields

    response = admin_client.post(reverse("admin:inference_apikey_add"), body)

    assert response.status_code == 200
    assert not ApiKey.objects.exists()


def test_the_page_of_use_shows_rows_sums_and_a_bar(admin_client, key):
    services.record_api_usage(key=key, model="crow", prompt_tokens=70, completion_tokens=30)
    services.record_api_usage(key=key, model="owl", prompt_tokens=7, is_failed=True)

    page = admin_client.get(reverse(USAGE)).content.decode()
    crows = admin_client.get(reverse(USAGE), {"model": "crow"}).content.decode()

    assert "2 requests, 77 prompt tokens, 30 completion tokens, 1 errors" in page
    assert f"<title>{timezone.now().date().isoformat()}: 107</title>" in page
    assert ": 100</title>" in crows
    assert "style=" not in page[page.index("<svg") : page.index("</svg>")]


def test_bars_are_as_high_as_what_was_used(key):
    today = timezone.now().date()
    for days_ago, tokens in ((0, 50), (1, 100), (29, 1), (30, 900)):
        ApiUsage.objects.create(
            key=key,
            day=today - timedelta(days=days_ago),
            model="crow",
            completion_tokens=tokens,
        )

    bars = bars_of(ApiUsage.objects.all(), last_day=today)

    assert len(bars) == 30
    assert [bars[place].tokens for place in (-1, -2, 0)] == [50, 100, 1]
    assert [bars[place].height for place in (-1, -2, 0, 5)] == [
        CHART_HEIGHT // 2,
        CHART_HEIGHT,
        1,
        0,
    ]


def test_the_chosen_rows_come_as_a_file_without_formulas(admin_client, key):
    ApiKey.objects.update(name="=1+1")
    services.record_api_usage(key=key, model="crow", prompt_tokens=7, completion_tokens=3)
    chosen = {"action": "export_csv", "_selected_action": [ApiUsage.objects.get().pk]}

    response = admin_client.post(reverse(USAGE), chosen)

    head, row = csv.reader(response.content.decode().splitlines())
    assert head[:4] == ["day", "key", "prefix", "model"]
    assert row[1:] == ["'=1+1", key.prefix, "crow", "1", "7", "3", "0"]


def test_nobody_edits_what_was_counted(admin_client, key):
    services.record_api_usage(key=key, model="crow")
    row = ApiUsage.objects.get()

    for name in ("change", "delete"):
        page = reverse(f"admin:inference_apiusage_{name}", args=[row.pk])
        assert admin_client.post(page, {"post": "yes"}).status_code == 403
    assert admin_client.get(reverse("admin:inference_apiusage_add")).status_code == 403
