"""The addresses of this app."""

from django.urls import URLPattern, path

from leaderboard import views
from leaderboard.api import LeaderboardView

urlpatterns: list[URLPattern] = [
    path("leaderboard/", views.leaderboard, name="leaderboard"),
    path("api/leaderboard/", LeaderboardView.as_view(), name="leaderboard-api"),
]
