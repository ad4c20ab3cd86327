from datetime import timedelta

import pytest
from django.utils import timezone

from inference import services
from inference.models import ApiKey
from tests.inference.api.conftest import ask


def made(**fields) -> str:
    return services.create_api_key(name="test", **fields)[1]


async def amade(**fields) -> str:
    from asgiref.sync import sync_to_async

    return await sync_to_async(made)(**fields)


async def test_a_key_opens_the_door_and_its_use_is_noted(api, inference_setting):
    inference_setting(api_requires_key=True)
    key = await amade()

    response = await ask(api, authorization=f"Bearer {key}")

    assert response.status_code == 200
    assert (await ApiKey.objects.aget()).last_used_at is not None


async def test_without_a_key_the_door_is_closed_where_one_is_required(api, inference_setting):
    inference_setting(api_requires_key=True)

    response = await ask(api)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.json()["error"]["code"] == "missing_api_key"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/parrot", "/v1/nothing"])
async def test_every_path_asks_for_the_key(api, inference_setting, path):
    inference_setting(api_requires_key=True)

    assert (await api.get(path)).status_code == 401


@pytest.mark.parametrize("is_required", [True, False])
@pytest.mark.parametrize("state", ["unknown", "revoked", "expired", "of a closed account"])
async def test_a_key_that_opens_nothing_is_always_refused(
    api, inference_setting, django_user_model, is_required, state
):
    inference_setting(api_requires_key=is_required)
    key = await amade(user=await django_user_model.objects.acreate(username="ada"))
    moment = timezone.now() - timedelta(seconds=1)
    match state:
        case "unknown":
            await ApiKey.objects.all().adelete()
        case "revoked":
            await ApiKey.objects.aupdate(revoked_at=moment)
        case "expired":
            await ApiKey.objects.aupdate(expires_at=moment)
        case _:
            await django_user_model.objects.aupdate(is_active=False)

    response = await ask(api, authorization=f"Bearer {key}")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "invalid_api_key"


async def test_the_customary_placeholder_counts_as_no_key(api, inference_setting):
    assert (await ask(api, authorization="Bearer EMPTY")).status_code == 200

    inference_setting(api_requires_key=True)
    assert (await ask(api, authorization="Bearer EMPTY")).status_code == 401


async def test_too_many_requests_are_told_when_to_come_back(api, inference_setting):
    inference_setting(api_requests_per_minute_per_address=2)

    answers = [await ask(api) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == list("100")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
    assert answers[-1].json()["error"]["code"] == "rate_limit_exceeded"


async def test_each_key_has_an_allowance_of_its_own(api, inference_setting):
    inference_setting(api_requests_per_minute_per_key=1)
    first, second = await amade(), await amade()

    assert (await ask(api, authorization=f"Bearer {first}")).status_code == 200
    assert (await ask(api, authorization=f"Bearer {first}")).status_code == 429
    assert (await ask(api, authorization=f"Bearer {second}")).status_code == 200


async def test_a_forged_forwarding_header_buys_no_new_allowance(api, inference_setting):
    inference_setting(api_requests_per_minute_per_address=1)

    answers = [await ask(api, **{"x-forwarded-for": f"198.51.100.{n}"}) for n in range(2)]

    assert [answer.status_code for answer in answers] == [200, 429]


async def test_no_limit_means_no_headers(api, inference_setting):
    inference_setting(api_requests_per_minute_per_address=0)

    response = await ask(api)

    assert response.status_code == 200
    assert "x-ratelimit-limit-requests" not in response.headers
