"""One running site a mode, shared by all journeys: embedded, and with Redis and PostgreSQL."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from inference.demo_models import demo_model_folders
from tests.conftest import skip_without
from tests.support.postgres_server import postgres_binaries, running_postgres
from tests.support.redis_server import running_redis
from tests.support.site import Site

pytestmark = pytest.mark.services


@pytest.fixture(scope="session", params=["embedded", "distributed"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site with the demo models in one of its two modes."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "embedded":
        yield from started(Site(folder))
        return
    if postgres_binaries() is None or shutil.which("redis-server") is None:
        skip_without("PostgreSQL or redis-server")
    with running_redis(folder / "redis") as redis, running_postgres(folder / "postgres") as url:
        models = tuple(demo_model_folders().values())
        yield from started(Site(folder, redis_url=redis.url, database_url=url, models=models))


@pytest.fixture
def lone_site(tmp_path: Path) -> Iterator[Site]:
    """A distributed site of one test's own, for tests that kill its processes."""
    if postgres_binaries() is None or shutil.which("redis-server") is None:
        skip_without("PostgreSQL or redis-server")
    with running_redis(tmp_path / "redis") as redis, running_postgres(tmp_path / "postgres") as url:
        models = tuple(demo_model_folders().values())
        yield from started(Site(tmp_path, redis_url=redis.url, database_url=url, models=models))


def started(site: Site) -> Iterator[Site]:
    """Start the site, yield it, stop it."""
    try:
        site.start()
        yield site
    finally:
        site.stop()
