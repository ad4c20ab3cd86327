"""Keys for tests of the API, and what stands in their books."""

from typing import Any

from asgiref.sync import sync_to_async
from django.test import AsyncClient

from inference import services
from inference.keys import KeyTerms
from inference.models import ApiKey, ApiUsage
from tests.inference.api.conftest import question


async def keyed(**terms: Any) -> dict[str, str]:
    """Return the header of a new key with these terms."""
    make = sync_to_async(services.create_api_key)
    _, text = await make(name="test", terms=KeyTerms(**terms))
    return {"authorization": f"Bearer {text}"}


async def post(api: AsyncClient, headers: dict[str, str], **fields: Any) -> Any:
    """Ask for a chat completion."""
    path, body = "/v1/chat/completions", question(**fields)
    return await api.post(path, data=body, content_type="application/json", headers=headers)


async def used(**row: Any) -> list[tuple[str, int, int, int, int]]:
    """Return model, requests, prompt tokens, completion tokens and errors of every row."""
    names = ("model", "requests", "prompt_tokens", "completion_tokens", "errors")
    rows = ApiUsage.objects.filter(**row).order_by("model").values_list(*names)
    return [tuple(entry) async for entry in rows]


async def spent_before(tokens: int) -> None:
    """Write tokens into the books of the only key."""
    record = sync_to_async(services.record_api_usage)
    await record(key=await ApiKey.objects.aget(), model="parrot", completion_tokens=tokens)
