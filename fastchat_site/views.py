"""Pages that belong to the site as a whole."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def about(request: HttpRequest) -> HttpResponse:
    """Show what this site is and how its numbers are made."""
    return render(request, "about.html")
