"""What travels on the bus, read by another version of the program."""

from dataclasses import asdict

import msgpack

from inference.bus.events import Heartbeat, Tally


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
