"""One running site a mode, shared by all journeys: embedded, and with Redis and PostgreSQL."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from inference.demo_models import demo_model_folders
from tests.conftest import skip_without
from tests.support.postgres_server import postgres_binaries, running_postgres
from tests.support.redis_server import running_redis
from tests.support.site import Site


@pytest.fixture(scope="session", params=["embedded", "distributed"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The site with the demo models in one of its two modes."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "distributed":
        with distributed_site(folder, models=tuple(demo_model_folders().values())) as site:
            yield site
    else:
        with running(Site(folder)) as site:
            yield site


@contextmanager
def distributed_site(folder: Path, *, models: tuple[Path, ...]) -> Iterator[Site]:
    """Run a site with web and worker apart, on a Redis and a PostgreSQL of its own."""
    if postgres_binaries() is None or shutil.which("redis-server") is None:
        skip_without("PostgreSQL or redis-server")
    with (
        running_redis(folder / "redis") as redis,
        running_postgres() as url,
        running(Site(folder, redis_url=redis.url, database_url=url, models=models)) as site,
    ):
        yield site


@contextmanager
def running(site: Site) -> Iterator[Site]:
    """Run a site for the length of the block."""
    try:
        site.start()
        yield site
    finally:
        site.stop()
