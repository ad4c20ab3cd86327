"""The pages of the scripted site, with contexts like those of the real views."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import include, path

from fastchat_site.views import about


def battle(request: HttpRequest) -> HttpResponse:
    return render(request, "arena/battle.html", {"max_prompt_chars": 12_000})


urlpatterns = [
    path("", battle, name="battle"),
    path("about/", about, name="about"),
    path("i18n/", include("django.conf.urls.i18n")),
]
