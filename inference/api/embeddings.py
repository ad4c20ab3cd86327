"""`POST /v1/embeddings`: vectors of texts."""

import asyncio
import base64
from typing import Any, cast

import numpy as np
from django.http import HttpResponseBase, JsonResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from inference import client
from inference.api import schema
from inference.api.base import ModelView
from inference.api.embedding_serializers import (
    EmbeddingOrder,
    EmbeddingSerializer,
    EngineEmbeddingSerializer,
)
from inference.api.metering import count_for_key
from inference.api.metrics import count_usage
from inference.exceptions import InvalidRequestError
from inference.generation import Usage


class Embeddings(ModelView):
    """Turns texts into vectors."""

    scope = "embeddings"
    serializer_class = EmbeddingSerializer
    subject = "input"

    @extend_schema(
        operation_id="createEmbedding",
        request=EmbeddingSerializer,
        responses=schema.answers(schema.EmbeddingListObject, takes_body=True),
        examples=[schema.example("Two texts", model="demo-large", input=["Good day", "Hello"])],
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Turn texts into vectors of length 1."""
        return await self.embedded(request)

    async def embedded(self, request: Request) -> HttpResponseBase:
        """Return the vectors an order asks for."""
        order = cast("EmbeddingOrder", request.order)  # type: ignore[attr-defined]  # set by admit
        found = await client.embed(order.request())
        count_usage([found.usage])
        count_for_key(order.model, found.usage)
        # Thousands of vectors take a while to write; others' streams go on meanwhile.
        return await asyncio.to_thread(_answer, order, found.vectors, found.usage)


class EngineEmbeddings(Embeddings):
    """The same where the address names the model."""

    serializer_class = EngineEmbeddingSerializer

    @extend_schema(
        operation_id="createEngineEmbedding",
        request=EngineEmbeddingSerializer,
        responses=schema.answers(schema.EmbeddingListObject, takes_body=True),
    )
    async def post(self, request: Request, name: str) -> HttpResponseBase:  # type: ignore[override]  # noqa: ARG002
        """Turn texts into vectors of length 1."""
        return await self.embedded(request)

    def body_of(self, request: Request) -> Any:
        """Return the body with the address's model in it."""
        body = super().body_of(request)
        return {**body, "model": self.kwargs["name"]} if isinstance(body, dict) else body


def _answer(order: EmbeddingOrder, vectors: np.ndarray, usage: Usage) -> JsonResponse:
    shortened = shorten(vectors, order.dimensions)
    data = [
        {"object": "embedding", "index": index, "embedding": encoded}
        for index, encoded in enumerate(written(shortened, is_base64=order.is_base64))
    ]
    counts = {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}
    return JsonResponse({"object": "list", "data": data, "model": order.model, "usage": counts})


def shorten(vectors: np.ndarray, dimensions: int | None) -> np.ndarray:
    """Return the first numbers of each vector, at length 1 again.

    Args:
        vectors: one a row, float32 [N, D].
        dimensions: how many to keep, at most D; None keeps all.

    Raises:
        InvalidRequestError: the vectors have fewer.

    Source:
        Kusupati et al. 2022, "Matryoshka Representation Learning", section 3.
    """
    width = vectors.shape[1]
    if dimensions is None or dimensions == width:
        return vectors
    if dimensions > width:
        raise InvalidRequestError(
            f"dimensions: this model's vectors have {width}", param="dimensions"
        )
    kept = vectors[:, :dimensions]
    lengths = np.linalg.norm(kept, axis=1, keepdims=True)
    return kept / np.where(lengths > 0, lengths, 1)


def written(vectors: np.ndarray, *, is_base64: bool) -> list[Any]:
    """Return each vector as numbers, or as base64 of little-endian float32."""
    if not is_base64:
        return cast("list[Any]", vectors.tolist())
    return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
