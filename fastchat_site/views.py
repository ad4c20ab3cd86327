"""Pages that belong to the site as a whole."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    """Show what this site is and how its numbers are made."""
    return render(request, "about.html")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:  # noqa: ARG001  (a view takes the request)
    """Lead browsers that ask for the old address, as they do in the admin, to the icon."""
    return redirect(static("img/icon.svg"))
