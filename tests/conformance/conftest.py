"""Suites that others wrote, run against this site with a scripted model."""

from collections.abc import Iterator

import pytest

from tests.support.site import Site
from tests.support.uvicorn_site import running_under_uvicorn

MODEL, OTHER_MODEL = "parrot", "starling"


@pytest.fixture(scope="session")
def api_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose model follows schemas and calls functions."""
    folder = tmp_path_factory.mktemp("conformance")
    quick = {"DJANGO_SETTINGS_MODULE": "tests.support.quick_script_settings"}
    with running_under_uvicorn(folder, MODEL, OTHER_MODEL, extra=quick) as site:
        yield site


@pytest.fixture(scope="session")
def api_key(api_site: Site) -> str:
    """A key for the site's API."""
    return api_site.manage("create_api_key", "conformance", "--quiet").strip()


@pytest.fixture
def benchmark() -> None:
    """Nothing is measured here; the one test that asks for it is skipped."""


@pytest.fixture
def vcr() -> None:
    """Nothing is recorded here; as above."""


def pytest_configure(config: pytest.Config) -> None:
    """Know the marks of the suites."""
    for mark in ("vcr", "benchmark", "block_network", "enable_socket"):
        config.addinivalue_line("markers", f"{mark}: of suites that others wrote")
