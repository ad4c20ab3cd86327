"""What keys use is written down exactly, whatever becomes of the answer."""

import asyncio

from django.db import DatabaseError

from inference import services
from inference.exceptions import RequestExpiredError
from inference.generation import Delta, Failure, FinishReason, Usage
from inference.models import ApiUsage
from tests.inference.api.conftest import ask, events_of
from tests.inference.api.keyed import keyed, post, used
from tests.support.canned_client import spoken


async def until_counted() -> None:
    """Return when something has been written down."""
    async with asyncio.timeout(20):
        while not await ApiUsage.objects.aexists():  # noqa: ASYNC110  (a row tells nobody that it is there)
            await asyncio.sleep(0.01)


async def test_whole_and_streamed_answers_count_alike_in_one_row(api):
    key = await keyed()

    await post(api, key)
    await events_of(await post(api, key, stream=True))

    assert await used() == [("parrot", 2, 10, 6, 0)]


async def test_several_answers_read_their_prompt_once(api):
    await post(api, await keyed(), n=3)

    assert await used() == [("parrot", 1, 5, 9, 0)]


async def test_a_stream_that_is_cut_counts_what_its_model_counted(api, models):
    models.answers["parrot"] = [*spoken("Hel", "lo")[:2], 30.0]
    response = await post(api, await keyed(), stream=True)

    async for part in response.streaming_content:
        if b"lo" in part:
            break
    await asyncio.to_thread(response.close)

    await until_counted()
    assert await used() == [("parrot", 1, 5, 2, 0)]


async def test_a_stream_that_nobody_reads_is_counted_when_it_is_thrown_away(api, models):
    models.answers["parrot"] = [*spoken("Hel")[:1], 30.0]
    response = await post(api, await keyed(), stream=True)

    await asyncio.to_thread(response.close)

    await until_counted()
    assert await used() == [("parrot", 1, 5, 1, 0)]


async def test_a_cut_answer_whose_model_is_silent_counts_the_tokens_that_came(
    api, models, monkeypatch
):
    async def follow(request_id, *, from_seq):
        raise RequestExpiredError(request_id)
        yield

    monkeypatch.setattr("inference.client.follow", follow)
    models.answers["parrot"] = [*spoken("Hel")[:1], 30.0]
    response = await post(api, await keyed(), stream=True)

    await asyncio.to_thread(response.close)

    await until_counted()
    assert await used() == [("parrot", 1, 0, 1, 0)]


async def test_an_answer_that_breaks_counts_its_tokens_and_an_error(api, models):
    broken = Failure(code="worker_lost", message="the worker is gone")
    models.answers["parrot"] = [
        Delta(seq=0, pieces=("Hel",)),
        Delta(seq=1, finish_reason=FinishReason.ERROR, failure=broken, usage=Usage(5, 1)),
    ]
    key = await keyed()

    await events_of(await post(api, key, stream=True))
    assert (await post(api, key)).status_code == 503

    assert await used() == [("parrot", 2, 10, 2, 2)]


async def test_made_up_names_and_bad_bodies_get_no_rows_of_their_own(api):
    key = await keyed()

    await post(api, key, model="nobody")
    await post(api, key, temperature=7)

    assert await used() == [("", 2, 0, 0, 2)]


async def test_what_the_limits_refuse_is_not_written_down(api):
    key = await keyed(requests_per_minute=1)

    for _ in range(3):
        await post(api, key)

    assert await used() == [("parrot", 1, 5, 3, 0)]


async def test_nothing_is_counted_without_a_key(api):
    await ask(api)

    assert await used() == []


async def test_an_answer_is_given_even_where_it_cannot_be_counted(api, monkeypatch):
    def fail(**_options):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr(services, "record_api_usage", fail)

    assert (await post(api, await keyed())).status_code == 200
