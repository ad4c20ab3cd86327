"""An endpoint's address is a plain base address of an HTTP server."""

import pytest

from inference.addresses import address_fault


@pytest.mark.parametrize(
    "address",
    [
        "https://api.openai.com/v1",
        "http://vllm:8000/v1/",
        "http://127.0.0.1:8080",
        "http://10.0.0.7",
        "http://[::1]:9000/v1",
        "http://localhost",
    ],
)
def test_servers_near_and_far_are_welcome(address: str) -> None:
    assert address_fault(address) == ""


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("", "begins with http"),
        ("api.openai.com/v1", "begins with http"),
        ("file:///etc/passwd", "begins with http"),
        ("ftp://host/", "begins with http"),
        ("http:///v1", "names no host"),
        ("http://host:0/", "names no host and port"),
        ("http://host:99999/", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("https://user:secret@host/v1", "no name or password"),
        ("https://user@host/v1", "no name or password"),
        ("https://host\\@evil/v1", "backslashes"),
        ("https://host/ v1", "blanks"),
        ("https://host/v1?key=secret", "no ? and no #"),
        ("https://host/v1#top", "no ? and no #"),
        ("https://hóst/v1", "printable ASCII"),
        ("https://host/\n", "printable ASCII"),
        ("https://" + "h" * 300, "at most 300"),
        ("http://169.254.169.254/latest", "link-local"),
        ("http://[fe80::1]/", "link-local"),
    ],
)
def test_other_addresses_are_refused_with_the_reason(address: str, words: str) -> None:
    assert words in address_fault(address)
