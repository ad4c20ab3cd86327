import pytest
from django.core.cache import cache
from django.core.cache.backends.redis import RedisCache

from inference import rate_limit
from inference.rate_limit import caller_address, home_of, spend_one


@pytest.mark.parametrize(
    ("peer", "forwarded", "proxies", "address"),
    [
        ("192.0.2.1", "", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", 0, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", 1, "198.51.100.9"),
        ("192.0.2.1", "203.0.113.5, 198.51.100.9", 1, "198.51.100.9"),
        ("192.0.2.1", "203.0.113.5, 198.51.100.9", 2, "203.0.113.5"),
        ("192.0.2.1", "198.51.100.9", 2, "192.0.2.1"),
        ("192.0.2.1", "nonsense", 1, "unknown"),
        ("::ffff:192.0.2.1", "", 0, "192.0.2.1"),
        ("2001:db8::0:1", "", 0, "2001:db8::1"),
        ("", "", 0, "unknown"),
    ],
)
def test_only_our_own_proxies_are_believed(peer, forwarded, proxies, address):
    meta = {"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}

    assert caller_address(meta, trusted_proxy_count=proxies) == address


def test_an_ipv6_home_is_one_caller():
    assert home_of("2001:db8:1:2:aaaa::1") == home_of("2001:db8:1:2::2")
    assert home_of("2001:db8:1:2::1") != home_of("2001:db8:1:3::1")
    assert home_of("192.0.2.1") == "192.0.2.1"


def test_acts_are_counted_by_scope_and_caller():
    cache.clear()
    first, second = (spend_one(scope="a", caller="x", limit=1) for _ in range(2))

    assert (first.remaining, first.is_exceeded) == (0, False)
    assert second.is_exceeded
    assert not spend_one(scope="b", caller="x", limit=1).is_exceeded
    assert not spend_one(scope="a", caller="y", limit=1).is_exceeded


def test_a_cache_that_is_down_stops_nobody(monkeypatch):
    def refuse(*_args, **_options):
        raise ConnectionError("no cache")

    monkeypatch.setattr(cache, "add", refuse)

    assert not spend_one(scope="a", caller="x", limit=1).is_exceeded


@pytest.mark.services
def test_redis_counts_for_all_processes_and_its_end_stops_nobody(redis_url, monkeypatch):
    for _ in range(2):
        options = {"OPTIONS": {"socket_timeout": 5}}
        monkeypatch.setattr(rate_limit, "cache", RedisCache(redis_url, options))
        allowance = spend_one(scope="a", caller="x", limit=1)
    assert allowance.is_exceeded

    monkeypatch.setattr(rate_limit, "cache", RedisCache("redis://127.0.0.1:1/0", options))
    assert not spend_one(scope="a", caller="x", limit=1).is_exceeded
