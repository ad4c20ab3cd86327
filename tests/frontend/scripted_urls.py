"""The pages of the scripted site, with contexts like those of the real views."""

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path, re_path

from chat.conf import ChatSettings
from chat.urls import CONVERSATION
from chat.views import ModelChoice
from fastchat_site.views import about
from tests.frontend.scripted_sockets import ScriptedChat

MODELS = [
    ModelChoice("model-one", "Model One", is_live=True),
    ModelChoice("model-two", "Model Two", is_live=True),
    ModelChoice("model-asleep", "Model Asleep", is_live=False),
]


@dataclass(frozen=True)
class Entry:
    """What templates read of a conversation."""

    public_id: str
    title: str
    model: ModelChoice


OLD_CHATS = [
    Entry("e" * 32, "A chat of last week", MODELS[1]),
    Entry("d" * 32, "旧的对话", MODELS[0]),
]


def battle(request: HttpRequest) -> HttpResponse:
    return render(request, "arena/battle.html", {"max_prompt_chars": 12_000})


def chat(request: HttpRequest, public_id: str | None = None) -> HttpResponse:
    models = {model.name: model for model in MODELS}
    known = {
        key: Entry(key, held["title"], models[held["model"]])
        for key, held in ScriptedChat.conversations.items()
    }
    context = {
        "conversations": [*known.values(), *OLD_CHATS],
        "conversation": known[public_id] if public_id else None,
        "models": MODELS,
        "selected_model": request.GET.get("model", ""),
        "max_prompt_chars": 12_000,
        "limits": ChatSettings(),
    }
    return render(request, "chat/chat.html", context)


def error(request: HttpRequest, code: int) -> HttpResponse:
    return render(request, f"{code}.html", status=code)


urlpatterns = [
    path("", battle, name="battle"),
    path("chat/", chat, name="chat"),
    re_path(CONVERSATION + r"$", chat, name="conversation"),
    re_path(CONVERSATION + r"rename/$", chat, name="rename-conversation"),
    re_path(CONVERSATION + r"delete/$", chat, name="delete-conversation"),
    re_path(CONVERSATION + r"export\.(?P<kind>json|md)$", chat, name="export-conversation"),
    path("error/<int:code>/", error),
    path("about/", about, name="about"),
    # The header and the footer link to these; the pages are tested with their apps.
    path("leaderboard/", about, name="leaderboard"),
    path("models/", about, name="models"),
    path("api/docs/", about, name="api-docs"),
    path("i18n/", include("django.conf.urls.i18n")),
]
