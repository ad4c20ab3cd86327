"""What travels on the bus, read by another version of the program."""

from dataclasses import asdict

import msgpack
import pytest

from inference.bus.events import Heartbeat, Tally, pack_request, unpack_request
from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest, SamplingParams
from inference.messages import ImagePart, Message, Role, TextPart


def test_a_heartbeat_of_an_older_worker_is_understood() -> None:
    values = asdict(Heartbeat("w", ("a",), slots=4, running=2))
    del values["tally"]

    beat = Heartbeat.unpack(msgpack.packb(values))

    assert (beat.running, beat.tally) == (2, Tally())


def test_a_tally_with_more_numbers_than_we_know_is_understood() -> None:
    values = asdict(Heartbeat("w", ("a",), slots=4))
    values["tally"] = {"generated_tokens": 3, "naps": 12}

    beat = Heartbeat.unpack(msgpack.packb(values))

    assert beat.tally == Tally(generated_tokens=3)


def test_a_request_keeps_its_images_on_the_way() -> None:
    image = ImagePart(bytes(range(256)), "image/webp")
    message = Message.of_parts(Role.USER, [TextPart("Look:"), image])
    request = GenerationRequest("m", (message, Message(Role.ASSISTANT, "A cat.")))

    assert unpack_request(pack_request(request)) == request


@pytest.mark.parametrize("limit", [10**30, "\ud800"])
def test_a_request_that_cannot_be_written_down_is_refused(limit: int | str) -> None:
    schema = {"type": "integer", "maximum": limit}
    params = SamplingParams(grammar={"type": "json_schema", "schema": schema})
    request = GenerationRequest(model="m", prompt="x", params=params)

    with pytest.raises(InvalidRequestError, match="64 bits"):
        pack_request(request)
