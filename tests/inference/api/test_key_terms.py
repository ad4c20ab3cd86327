"""What a key may do: parts of the API, models, requests, tokens, a budget."""

import asyncio
from collections import Counter
from datetime import date

import pytest

from inference.api.throttling import duration
from inference.models import ApiUsage
from tests.inference.api.keyed import keyed, post, spent_before
from tests.support.canned_client import spoken


async def test_a_key_without_scopes_opens_all_and_one_with_scopes_only_these(api):
    every, chats, lists = (
        await keyed(),
        await keyed(scopes=("chat",)),
        await keyed(scopes=("models",)),
    )

    chatted = [(await post(api, key)).status_code for key in (every, chats, lists)]
    listed = [
        (await api.get("/v1/models", headers=key)).status_code for key in (every, chats, lists)
    ]

    assert chatted == [200, 200, 403]
    assert listed == [200, 403, 200]


async def test_a_missing_scope_is_told(api, models):
    response = await post(api, await keyed(scopes=("models",)))

    error = response.json()["error"]
    assert error["code"] == "insufficient_permissions"
    assert "'chat'" in error["message"]
    assert response.headers["x-request-id"]
    assert models.requests == []


async def test_a_key_sees_and_uses_its_models_alone(api, models):
    models.answers["crow"] = spoken("Caw")
    key = await keyed(models=("crow",))

    listed = (await api.get("/v1/models", headers=key)).json()["data"]
    hidden = await api.get("/v1/models/parrot", headers=key)
    refused = await post(api, key)

    assert [model["id"] for model in listed] == ["crow"]
    assert hidden.status_code == 404
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "model_not_allowed"
    assert refused.json()["error"]["param"] == "model"
    assert (await post(api, key, model="crow")).status_code == 200


@pytest.mark.parametrize("name", ["nobody", "parrot"])
async def test_a_model_that_is_not_the_keys_is_refused_whether_it_exists_or_not(api, name):
    response = await post(api, await keyed(models=("crow",)), model=name)

    assert response.status_code == 403


async def test_a_keys_own_limit_of_requests_goes_before_the_sites(api, inference_setting):
    inference_setting(api_requests_per_minute_per_key=1)
    key, free = await keyed(requests_per_minute=2), await keyed(requests_per_minute=0)

    answers = [await post(api, key) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].headers["x-ratelimit-limit-requests"] == "2"
    assert [(await post(api, free)).status_code for _ in range(3)] == [200] * 3


async def test_of_fifty_requests_at_once_ten_pass_a_limit_of_ten(api):
    key = await keyed(requests_per_minute=10)

    answers = await asyncio.gather(*(post(api, key) for _ in range(50)))

    assert Counter(answer.status_code for answer in answers) == {200: 10, 429: 40}
    assert (await ApiUsage.objects.aget()).requests == 10


async def test_tokens_of_a_minute_are_counted_exactly_and_refused_when_used_up(api):
    key = await keyed(tokens_per_minute=16)  # an answer costs 5 and 3

    answers = [await post(api, key) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    remaining = [answer.headers["x-ratelimit-remaining-tokens"] for answer in answers]
    assert remaining == ["8", "0", "0"]
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "16"
    assert "tokens" in answers[2].json()["error"]["message"]


async def test_a_429_tells_when_to_come_back_in_every_way_programs_read(api):
    key = await keyed(requests_per_minute=1)
    await post(api, key)

    headers = (await post(api, key)).headers

    seconds = int(headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert headers["retry-after-ms"] == str(1000 * seconds)
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-reset-requests"] == duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(1, "1s"), (59, "59s"), (60, "1m0s"), (360, "6m0s"), (61, "1m1s")]
)
def test_times_are_written_as_openai_writes_them(seconds, text):
    assert duration(seconds) == text


async def test_a_key_that_has_used_its_budget_is_refused_for_good(api):
    key = await keyed(token_budget=16)

    answers = [await post(api, key) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json()["error"]["type"] == "insufficient_quota"
    assert answers[-1].json()["error"]["code"] == "insufficient_quota"
    assert answers[-1].headers["x-should-retry"] == "false"
    assert (await api.get("/v1/models", headers=key)).status_code == 200


@pytest.mark.parametrize(("period", "status"), [("total", 429), ("month", 200)])
async def test_a_monthly_budget_begins_anew(api, period, status):
    key = await keyed(token_budget=8, budget_period=period)
    await spent_before(100)
    await ApiUsage.objects.aupdate(day=date(2020, 1, 31))

    assert (await post(api, key)).status_code == status


async def test_a_budget_of_nothing_closes_the_door_at_once(api):
    assert (await post(api, await keyed(token_budget=0))).status_code == 429


async def test_a_key_may_come_as_anthropics_clients_send_it(api, inference_setting):
    inference_setting(api_requires_key=True)
    text = (await keyed())["authorization"].removeprefix("Bearer ")

    assert (await post(api, {"x-api-key": text})).status_code == 200
    assert (await post(api, {"x-api-key": "wrong"})).status_code == 401
