from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from inference import selectors
from inference.models import ApiKey

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("create_api_key", *arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_key_is_alone_on_standard_output():
    out, err = run("laptop")

    assert selectors.valid_api_key(out.strip()) is not None
    assert "laptop" in err
    assert run("laptop", "--quiet")[1] == ""


def test_owner_and_expiry_are_kept():
    User.objects.create(username="ada")

    key = selectors.valid_api_key(run("laptop", "--user", "ada", "--days", "2")[0].strip())

    assert key is not None
    assert key.user is not None
    assert key.user.username == "ada"
    assert key.expires_at is not None
    assert timedelta(days=1) < key.expires_at - timezone.now() <= timedelta(days=2)


def test_terms_are_kept():
    terms = "--scopes chat,models --models crow,lab/owl --requests-per-minute 5 --budget 100"
    out, _ = run("laptop", *terms.split(), "--tokens-per-minute", "0", "--budget-period", "month")

    key = selectors.valid_api_key(out.strip())
    assert key is not None
    assert (key.scopes, key.allowed_models) == (["chat", "models"], ["crow", "lab/owl"])
    assert (key.requests_per_minute, key.tokens_per_minute) == (5, 0)
    assert (key.token_budget, key.budget_period) == (100, "month")


def test_a_date_without_a_zone_is_utc():
    key = selectors.valid_api_key(run("laptop", "--expires", "2999-01-31")[0].strip())

    assert key is not None
    assert key.expires_at == datetime(2999, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    "arguments",
    [
        [""],
        ["laptop", "--user", "nobody"],
        ["laptop", "--days", "0"],
        ["laptop", "--expires", "2020-01-01"],
        ["laptop", "--expires", "tomorrow"],
        ["laptop", "--scopes", "chat,everything"],
        ["laptop", "--models", "名"],
        ["laptop", "--budget", "-1"],
        ["laptop", "--requests-per-minute", "99999999999999999999"],
    ],
)
def test_what_cannot_be_made_is_said_plainly(arguments):
    with pytest.raises(CommandError) as refusal:
        run(*arguments)

    assert "\n" not in str(refusal.value)
    assert not ApiKey.objects.exists()
