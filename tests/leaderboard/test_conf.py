import pytest

from leaderboard.conf import LeaderboardSettings, leaderboard_settings


def test_settings_have_defaults(settings):
    settings.LEADERBOARD = {}

    assert leaderboard_settings() == LeaderboardSettings()


def test_a_key_that_means_nothing_is_refused(settings):
    settings.LEADERBOARD = {"heat_map_modles": 3}

    with pytest.raises(ValueError, match="heat_map_modles"):
        leaderboard_settings()
