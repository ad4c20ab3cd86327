import json
import re

import pytest
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema

from inference.api import limits


@pytest.fixture
def schema(db):
    return json.loads(Client().get("/api/schema/?format=json").content)


def test_the_description_is_valid_and_complete(db):
    GENERATOR_STATS.reset()

    validate_schema(SchemaGenerator().get_schema(request=None, public=True))

    assert not GENERATOR_STATS


def test_every_api_address_is_described(schema):
    assert {"/v1/models", "/v1/models/{name}", "/v1/chat/completions"} <= schema["paths"].keys()
    answers = schema["paths"]["/v1/chat/completions"]["post"]["responses"]
    assert {"200", "400", "401", "404", "413", "415", "429", "503"} <= answers.keys()


def test_the_description_tells_the_limits(schema):
    fields = schema["components"]["schemas"]["ChatCompletion"]["properties"]

    for name, (lowest, highest) in limits.RANGES.items():
        if name in fields.keys() - {"logprobs", "logit_bias"}:  # a flag and an object here
            assert (fields[name]["minimum"], fields[name]["maximum"]) == (lowest, highest)
    assert fields["model"]["maxLength"] == limits.MAX_MODEL_NAME_CHARS


def test_the_documents_page_needs_nothing_inline_and_nobody_else(db):
    page = Client().get("/api/docs/").content.decode()

    sources = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert sources
    assert all(source.startswith("/") and not source.startswith("//") for source in sources)
    assert "<style" not in page
    assert not re.findall(r"<script(?![^>]*\bsrc=)", page)
