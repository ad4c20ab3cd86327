"""The services the suite spawns really run."""

import psycopg
import pytest
import redis
from playwright.sync_api import Browser

pytestmark = pytest.mark.services


def test_the_spawned_postgresql_answers(postgres_url):
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("select 1 + 1").fetchone()

    assert row == (2,)


def test_the_spawned_redis_answers(redis_url):
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_the_browser_renders(browser: Browser):
    page = browser.new_page()

    page.set_content("<title>ready</title>")

    assert page.title() == "ready"
