"""A package that is missing is named, with the way to get it."""

import pytest

from inference.exceptions import InvalidRequestError
from inference.providers.packages import need_package

WORDS = {"purpose": "This test", "package": "made-up", "extra": "made"}


@pytest.mark.parametrize("module", ["made_up_package", "made_up_package.inside"])
def test_a_missing_package_is_named(module):
    with pytest.raises(InvalidRequestError) as caught:
        need_package(module, **WORDS)

    told = "This test needs the package made-up: pip install 'fastchat-site[made]'"
    assert str(caught.value) == told


def test_a_package_that_is_there_is_not_imported_for_the_question():
    need_package("json.tool", **WORDS)
