"""The app's name for Django."""

from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    """Names the app."""

    name = "leaderboard"
