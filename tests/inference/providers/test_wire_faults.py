"""Refusals in odd forms still become errors of ours."""

import pytest

from inference.providers.wire.faults import fault_of_response, retry_after

DEEP = b'{"error":' * 900 + b"1" + b"}" * 900


@pytest.mark.parametrize(
    "body", [b"", b"\xff\xfe", b"[" * 100_000, DEEP, b"[]", b"[[[1]]]", b"null"]
)
def test_any_body_can_stand_under_a_refusal(body):
    assert fault_of_response(401, {}, body).code == "provider_key_rejected"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("-3", 0.0),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:00 -0000", 0.0),
    ],
)
def test_a_wait_is_a_number_or_a_date(value, seconds):
    assert retry_after({"retry-after": value}) == seconds
