"""Vision models of the tests, each made once."""

from collections.abc import Callable

import pytest

from tests.support.tiny_vision_models import VISION_MODELS
from tests.support.vision_family import Family


@pytest.fixture(scope="session")
def family_named() -> Callable[[str], Family]:
    """Tiny models by family, each made once."""
    made: dict[str, Family] = {}

    def named(kind: str) -> Family:
        if kind not in made:
            made[kind] = Family(kind)
        return made[kind]

    return named


@pytest.fixture(params=sorted(VISION_MODELS))
def family(request: pytest.FixtureRequest, family_named: Callable[[str], Family]) -> Family:
    """Every family in turn."""
    return family_named(request.param)


@pytest.fixture
def llava(family_named: Callable[[str], Family]) -> Family:
    """A LLaVA, whose images stand at their places."""
    return family_named("llava")


@pytest.fixture
def qwen(family_named: Callable[[str], Family]) -> Family:
    """A Qwen2-VL, whose images take up less room in positions than in tokens."""
    return family_named("qwen2_vl")
