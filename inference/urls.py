"""The addresses of this app: the API for programs, the models page, health and numbers."""

from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView

from inference import views
from inference.api.chat import ChatCompletions
from inference.api.completions import Completions
from inference.api.docs import ApiDocs
from inference.api.embeddings import Embeddings, EngineEmbeddings
from inference.api.fallback import UnknownPath
from inference.api.generate import Generate, GenerateStream
from inference.api.messages_api.views import Messages, MessageTokens
from inference.api.model_list import ModelDetail, ModelList
from inference.api.responses.views import ResponseDetail, Responses
from inference.api.tokens import Detokenize, TokenChecks, Tokenize

urlpatterns: list[URLPattern] = [
    path("models/", views.models_page, name="models"),
    path("health/live", views.live, name="health-live"),
    path("health/ready", views.ready, name="health-ready"),
    path("metrics", views.metrics, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("api/docs/", ApiDocs.as_view(), name="api-docs"),
    path("v1/models", ModelList.as_view(), name="api-models"),
    path("v1/models/<path:name>", ModelDetail.as_view(), name="api-model"),
    path("v1/chat/completions", ChatCompletions.as_view(), name="api-chat-completions"),
    # Where FastChat has it; described once.
    path("api/v1/chat/completions", ChatCompletions.as_view(schema=None), name="api-fastchat-chat"),
    path("v1/completions", Completions.as_view(), name="api-completions"),
    path("v1/embeddings", Embeddings.as_view(), name="api-embeddings"),
    path(
        "v1/engines/<path:name>/embeddings",
        EngineEmbeddings.as_view(),
        name="api-engine-embeddings",
    ),
    path("tokenize", Tokenize.as_view(), name="api-tokenize"),
    path("detokenize", Detokenize.as_view(), name="api-detokenize"),
    path("api/v1/token_check", TokenChecks.as_view(), name="api-token-check"),
    path("v1/responses", Responses.as_view(), name="api-responses"),
    path("v1/responses/<str:response_id>", ResponseDetail.as_view(), name="api-response"),
    path("v1/messages", Messages.as_view(), name="api-messages"),
    path("v1/messages/count_tokens", MessageTokens.as_view(), name="api-message-tokens"),
    path("generate", Generate.as_view(), name="api-generate"),
    path("generate_stream", GenerateStream.as_view(), name="api-generate-stream"),
    re_path(r"^(?:api/)?v1(?:/|\Z)", UnknownPath.as_view(), name="api-unknown"),
]
