"""The battle page."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

from arena.conf import arena_settings
from chat.visitors import visitor_of_request


@require_safe
@never_cache
@ensure_csrf_cookie
def battle(request: HttpRequest) -> HttpResponse:
    """Show an empty battle; everything else happens over the socket.

    The visit makes the session that the socket will find.
    """
    visitor_of_request(request)
    limits = arena_settings()
    return render(request, "arena/battle.html", {"max_prompt_chars": limits.max_prompt_chars})
