"""A program learns by the status why a server elsewhere gave no answer."""

import pytest

from inference.exceptions import ProviderError
from inference.generation import Delta, Failure, FinishReason
from inference.providers.wire.faults import SENTENCES
from tests.inference.api.conftest import ask, question

STATUS = {
    "provider_key_rejected": 502,
    "provider_model_not_found": 502,
    "provider_quota_exceeded": 502,
    "provider_rate_limited": 429,
    "provider_unavailable": 503,
    "provider_timeout": 504,
    "provider_silent": 504,
    "provider_protocol": 502,
    "provider_cut_off": 502,
    "context_length_exceeded": 400,
    "content_filtered": 400,
    "invalid_request": 400,
}


def test_every_code_is_expected() -> None:
    assert set(STATUS) == set(SENTENCES)


@pytest.mark.parametrize(("code", "status"), STATUS.items())
async def test_each_failure_has_its_status(models, api, code: str, status: int) -> None:
    failure = Failure(code, str(ProviderError(code, SENTENCES[code])))
    models.answers["parrot"] = [Delta(0, finish_reason=FinishReason.ERROR, failure=failure)]

    response = await ask(api, question())

    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code)
    assert error["message"] == SENTENCES[code]
    assert ("Retry-After" in response.headers) == (status in {429, 503})
