import pytest

from judge.conf import JudgeSettings, judge_settings


def test_settings_have_defaults(settings):
    settings.JUDGE = {}

    assert judge_settings() == JudgeSettings()


def test_a_key_that_means_nothing_is_refused(settings):
    settings.JUDGE = {"jugde": 3}

    with pytest.raises(ValueError, match="jugde"):
        judge_settings()
