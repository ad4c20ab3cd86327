"""The chat pages: history, one conversation, its title, its end, its export."""

import logging
from dataclasses import dataclass

from asgiref.sync import sync_to_async
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from chat.conf import chat_settings
from chat.exceptions import ConversationNotFoundError
from chat.exporting import as_document, as_markdown
from chat.models import Conversation
from chat.selectors import conversation_of, conversations_of, current_messages
from chat.services import delete_conversation, rename_conversation
from chat.visitors import visitor_of_request
from inference import client
from inference.exceptions import InferenceError
from inference.selectors import listed_models

logger = logging.getLogger(__name__)

SIDEBAR_LENGTH = 200


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model a visitor may pick: its name, what to call it, whether it is served now."""

    name: str
    title: str
    is_live: bool


@require_safe
@never_cache
@ensure_csrf_cookie
async def chat(request: HttpRequest, public_id: str | None = None) -> HttpResponse:
    """Show one conversation, or an empty page for a new one, beside the history."""
    try:
        live = await client.live_models()
    except InferenceError:  # the history can be read without a model
        logger.warning("the chat page cannot tell what is live", exc_info=True)
        live = frozenset()
    return await sync_to_async(_chat_page)(request, public_id, live)


@require_POST
def rename(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a conversation the posted title."""
    conversation = _own_conversation(request, public_id)
    rename_conversation(conversation=conversation, title=request.POST.get("title", ""))
    return redirect("conversation", public_id=public_id)


@require_POST
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take a conversation out of the history."""
    delete_conversation(conversation=_own_conversation(request, public_id))
    return redirect("chat")


@require_safe
@never_cache
def export(request: HttpRequest, public_id: str, kind: str) -> HttpResponse:
    """Hand out a conversation as a file, JSON or Markdown."""
    conversation = _own_conversation(request, public_id)
    if kind == "json":
        response: HttpResponse = JsonResponse(
            as_document(conversation), json_dumps_params={"ensure_ascii": False, "indent": 2}
        )
    else:
        response = HttpResponse(
            as_markdown(conversation), content_type="text/markdown; charset=utf-8"
        )
    response["Content-Disposition"] = f'attachment; filename="conversation-{public_id}.{kind}"'
    return response


def _chat_page(request: HttpRequest, public_id: str | None, live: frozenset[str]) -> HttpResponse:
    visitor = visitor_of_request(request)
    conversation = None if public_id is None else _own_conversation(request, public_id)
    limits = chat_settings()
    context = {
        "conversations": conversations_of(visitor)[:SIDEBAR_LENGTH],
        "conversation": conversation,
        "messages": list(current_messages(conversation)) if conversation else [],
        "models": [
            ModelChoice(model.name, model.title or model.name, model.name in live)
            for model in listed_models()
        ],
        "selected_model": conversation.model.name if conversation else request.GET.get("model", ""),
        "max_prompt_chars": limits.max_prompt_chars,
        "limits": limits,
    }
    return render(request, "chat/chat.html", context)


def _own_conversation(request: HttpRequest, public_id: str) -> Conversation:
    """Return a conversation of whoever asks; anybody else's does not exist."""
    try:
        return conversation_of(visitor_of_request(request), public_id)
    except ConversationNotFoundError as error:
        raise Http404(str(error)) from error
