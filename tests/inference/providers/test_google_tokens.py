"""Google's access tokens: asked for with a service account, kept, and never quoted."""

import sys

import pytest

from inference.exceptions import ProviderError
from inference.providers import google_tokens
from inference.providers.google_tokens import google_token
from tests.support.google_accounts import EMAIL, token_server


@pytest.fixture
def google(monkeypatch, tmp_path):
    monkeypatch.setattr(google_tokens, "_credentials", {})
    with token_server(tmp_path) as state:
        yield state


async def test_a_service_account_gets_a_token_and_keeps_it(google):
    first = await google_token(google.key_file)
    second = await google_token(google.key_file)

    assert first == second == "token-1"
    (claim,) = google.claims
    assert claim["iss"] == EMAIL
    assert claim["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_without_a_key_the_default_credentials_are_taken(google, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", google.key_file)

    assert await google_token("") == "token-1"


async def test_a_token_is_used_as_it_is():
    assert await google_token("ya29.made-up") == "ya29.made-up"


async def test_an_account_that_google_refuses_is_a_clear_error_without_secrets(google):
    google.is_refusing = True

    with pytest.raises(ProviderError, match="Google gave no access token") as caught:
        await google_token(google.key_file)

    assert caught.value.code == "provider_key_rejected"
    assert "PRIVATE" not in f"{caught.value}{caught.value.detail}"


@pytest.mark.parametrize(
    "content", ['{"type": "service_account"}', "{not json", '{"a": "secret-1"}']
)
async def test_a_file_without_a_key_is_refused_without_quoting_it(content, tmp_path):
    path = tmp_path / "key.json"
    path.write_text(content)

    with pytest.raises(ProviderError, match="no key of a service account") as caught:
        await google_token(str(path))

    assert "secret-1" not in f"{caught.value}{caught.value.detail}"


async def test_a_missing_file_is_a_clear_error(tmp_path):
    with pytest.raises(ProviderError, match="cannot be read"):
        await google_token(str(tmp_path / "none.json"))


async def test_a_missing_package_is_named_with_the_way_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.auth.exceptions", None)

    with pytest.raises(ProviderError, match=r"pip install 'fastchat-site\[vertex\]'"):
        await google_token("")
