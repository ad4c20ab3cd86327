"""Requests to Amazon's services carry a signature that the services can compute too."""

import hashlib
import hmac
import logging
import sys

import pytest

from inference.exceptions import InvalidRequestError, ProviderError
from inference.providers import aws_signing
from inference.providers.bedrock import EVENT_STREAM
from inference.providers.dialects import dialect_named
from tests.inference.providers.test_bedrock import MODEL, closing, said
from tests.support import aws_account
from tests.support.wire_server import Canned, a_server, ask

ANSWER = said("Yes.") + closing()


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signature_of(heard, *, region):
    """Compute the signature as a server does, from what came over the wire alone."""
    told = dict(
        part.split("=", 1) for part in heard.headers["authorization"].split(" ", 1)[1].split(", ")
    )
    names = told["SignedHeaders"].split(";")
    canonical = [
        heard.method,
        heard.path.replace("%", "%25"),  # quoted a second time, as for all services but S3
        "",
        *(f"{name}:{heard.headers[name]}" for name in names),
        "",
        told["SignedHeaders"],
        hashlib.sha256(heard.body).hexdigest(),
    ]
    moment = heard.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
    key = f"AWS4{aws_account.SECRET}".encode()
    for part in scope.split("/"):
        key = sign(key, part)
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    return (
        told,
        f"{aws_account.ACCESS}/{scope}",
        hmac.new(key, text.encode(), hashlib.sha256).hexdigest(),
    )


async def test_without_a_key_the_request_is_signed(wire, aws_credentials, caplog):
    caplog.set_level(logging.DEBUG)
    wire.answer(Canned((ANSWER,), media_type=EVENT_STREAM))
    server = a_server("bedrock", wire.url, name_there=MODEL, options={"region": "eu-west-3"})

    await ask(server)

    told, scope, signature = signature_of(wire.heard[0], region="eu-west-3")
    assert told["Credential"] == scope
    assert told["Signature"] == signature
    assert wire.heard[0].headers["x-amz-security-token"] == aws_account.SESSION
    assert {"host", "content-type", "x-amz-date"} <= set(told["SignedHeaders"].split(";"))
    assert aws_account.SESSION not in caplog.text


async def test_without_credentials_the_operator_is_told(wire, monkeypatch, tmp_path):
    monkeypatch.setattr(aws_signing, "_sessions", [])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    with pytest.raises(ProviderError, match="no credentials for Amazon Bedrock"):
        await ask(a_server("bedrock", wire.url))


async def test_a_missing_package_is_named_with_the_way_to_install_it(wire, monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore.auth", None)

    with pytest.raises(ProviderError, match=r"pip install 'fastchat-site\[bedrock\]'"):
        await ask(a_server("bedrock", wire.url))


def test_an_endpoint_without_a_key_is_refused_where_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    bedrock = dialect_named("bedrock")

    bedrock.check(a_server("bedrock", bedrock.default_url, key_variable="BEDROCK_KEY"))
    with pytest.raises(InvalidRequestError, match=r"pip install 'fastchat-site\[bedrock\]'"):
        bedrock.check(a_server("bedrock", bedrock.default_url))
