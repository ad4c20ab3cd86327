"""Visitors are hashes, and nobody chooses the address they are told from."""

from typing import Any

import pytest

from chat.visitors import client_address, network_key
from tests.support.sockets import visitor_of_session


def test_a_session_keeps_its_visitor_and_shows_nothing_of_itself() -> None:
    one = visitor_of_session({"visitor": "secret"})
    same = visitor_of_session({"visitor": "secret"})
    other = visitor_of_session({"visitor": "other"})

    assert one == same
    assert one.key != other.key
    assert len(one.key) == 32
    assert "secret" not in repr(one)
    assert "127.0" not in repr(one)


def test_networks_are_told_by_their_prefix() -> None:
    assert network_key("192.0.2.1") == network_key("192.0.2.254")
    assert network_key("192.0.2.1") != network_key("192.0.3.1")
    assert network_key("2001:db8::1") == network_key("2001:db8::ffff:1")
    assert network_key("2001:db8::1") != network_key("2001:db8:0:1::1")
    assert network_key("nonsense") == network_key("")


def test_another_key_makes_another_hash(settings: Any) -> None:
    before = network_key("192.0.2.1")
    settings.SECRET_KEY = "another"

    assert network_key("192.0.2.1") != before


@pytest.mark.parametrize(
    ("trusted", "header", "expected"),
    [
        (0, "6.6.6.6", "10.0.0.1"),
        (1, "6.6.6.6, 192.0.2.7", "192.0.2.7"),
        (2, "6.6.6.6, 192.0.2.7, 10.1.1.1", "192.0.2.7"),
        (1, "", "10.0.0.1"),
        (3, "192.0.2.7", "10.0.0.1"),
    ],
)
def test_only_trusted_proxies_are_believed(
    settings: Any, trusted: int, header: str, expected: str
) -> None:
    settings.CHAT = {"trusted_proxy_count": trusted}

    assert client_address(peer="10.0.0.1", forwarded_for=header) == expected
