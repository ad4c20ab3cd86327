from types import SimpleNamespace

import pytest
from django.db import OperationalError
from django.test import AsyncClient, Client

from inference import views
from inference.bus.events import Heartbeat, Tally
from inference.models import LanguageModel
from inference.providers.transport import close_site_bus, site_bus
from tests.support.canned_client import CannedClient, spoken


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> CannedClient:
    canned = CannedClient(answers={"parrot": spoken("Hello")})
    canned.install(monkeypatch)
    return canned


@pytest.fixture
def site(models: CannedClient, transactional_db: None) -> AsyncClient:
    return AsyncClient()


async def test_the_models_page_shows_who_answers_now(site):
    await LanguageModel.objects.acreate(name="parrot", title="The Parrot", licence="MIT")
    await LanguageModel.objects.acreate(name="dodo", title="The Dodo", is_in_arena=False)
    await LanguageModel.objects.acreate(name="ghost", title="The Ghost", is_listed=False)

    page = (await site.get("/models/")).content.decode()

    assert page.index("The Parrot") < page.index("The Dodo")
    assert "/chat/?model=parrot" in page
    assert "/chat/?model=dodo" not in page
    assert "The Ghost" not in page
    assert "Online" in page
    assert "Offline" in page


async def test_the_models_page_escapes_what_cards_say(site):
    await LanguageModel.objects.acreate(name="parrot", description="<script>alert(1)</script>")

    page = (await site.get("/models/")).content.decode()

    assert "<script>alert(1)" not in page


async def test_the_models_page_stands_without_the_bus(site, models):
    models.is_bus_down = True
    await LanguageModel.objects.acreate(name="parrot", title="The Parrot")

    response = await site.get("/models/")

    page = response.content.decode()
    assert response.status_code == 200
    assert "The Parrot" in page
    assert "Offline" not in page


async def test_a_site_without_models_says_so(site):
    assert "No model is listed yet." in (await site.get("/models/")).content.decode()


async def test_a_process_that_answers_is_alive(site):
    assert (await site.get("/health/live")).json() == {"status": "ok"}


async def test_readiness_counts_the_live_models(site):
    response = await site.get("/health/ready")

    assert response.status_code == 200
    assert response.json() == {
        "status": "ok",
        "database": "ok",
        "bus": "ok",
        "live_models": 1,
    }


async def test_without_the_bus_the_site_is_not_ready(site, models):
    models.is_bus_down = True

    response = await site.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["bus"] == "unavailable"


async def test_without_the_database_the_site_is_not_ready(site, monkeypatch):
    def refuse():
        raise OperationalError("gone")

    monkeypatch.setattr(views, "connection", SimpleNamespace(cursor=refuse))
    response = await site.get("/health/ready")

    assert response.status_code == 503
    assert response.json()["database"] == "unavailable"


def metrics_status(settings, *, address="127.0.0.1", values=None, **headers):
    settings.INFERENCE = settings.INFERENCE | (values or {})
    return Client().get("/metrics", REMOTE_ADDR=address, headers=headers).status_code


@pytest.mark.parametrize(
    ("address", "values", "headers", "status"),
    [
        ("127.0.0.1", {}, {}, 200),
        ("::1", {}, {}, 200),
        ("192.0.2.7", {}, {}, 404),
        ("", {}, {}, 404),
        ("127.0.0.1", {}, {"x-forwarded-for": "192.0.2.7"}, 404),
        ("127.0.0.1", {"trusted_proxy_count": 1}, {"x-forwarded-for": "192.0.2.7"}, 404),
        ("127.0.0.1", {"trusted_proxy_count": 1}, {"x-forwarded-for": "127.0.0.1, 192.0.2.7"}, 404),
        ("192.0.2.7", {"metrics_token": "sesame"}, {"authorization": "Bearer sesame"}, 200),
        ("127.0.0.1", {"metrics_token": "sesame"}, {"authorization": "Bearer simsim"}, 404),
        ("192.0.2.7", {"metrics_token": ""}, {"authorization": "Bearer "}, 404),
    ],
)
def test_numbers_are_for_those_who_may_read_them(settings, db, address, values, headers, status):
    assert metrics_status(settings, address=address, values=values, **headers) == status


def test_the_numbers_count_api_requests(db):
    body = Client().get("/metrics").content.decode()

    assert "fastchat_api_requests_total" in body


@pytest.fixture
def bus():
    yield site_bus()
    close_site_bus()


def test_the_numbers_tell_what_workers_do(db, bus):
    beat = Heartbeat("0123456789", ("m",), slots=4, running=3, tally=Tally(generated_tokens=7))
    bus.beat(beat)

    body = Client().get("/metrics").content.decode()

    assert 'fastchat_worker_running{model="m",worker="01234567"} 3.0' in body
    assert 'fastchat_worker_generated_tokens_total{model="m",worker="01234567"} 7.0' in body
