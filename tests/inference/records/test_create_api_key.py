from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from inference import selectors

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


@pytest.mark.parametrize(
    "arguments", [[""], ["laptop", "--user", "nobody"], ["laptop", "--days", "0"]]
)
def test_what_cannot_be_made_is_said_plainly(arguments):
    with pytest.raises(CommandError):
        run(*arguments)
