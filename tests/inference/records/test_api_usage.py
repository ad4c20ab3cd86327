"""What keys use is counted once each, by however many processes, and printed."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, connections
from django.utils import timezone

from inference import selectors, services
from inference.keys import KeyTerms
from inference.models import ApiUsage


def made(name="laptop", **terms):
    return services.create_api_key(name=name, terms=KeyTerms(**terms))[0]


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("api_usage", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db(transaction=True)
def test_twenty_answers_at_once_are_one_row_that_lost_none():
    key = made()

    def count(_turn):
        try:
            services.record_api_usage(key=key, model="crow", prompt_tokens=3, completion_tokens=2)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(20)))

    row = ApiUsage.objects.get()
    assert (row.requests, row.prompt_tokens, row.completion_tokens) == (20, 60, 40)


@pytest.mark.django_db
def test_an_answer_is_counted_with_one_statement(django_assert_num_queries):
    key = made()
    services.record_api_usage(key=key, model="crow")

    with django_assert_num_queries(1):
        services.record_api_usage(key=key, model="crow", prompt_tokens=3)


@pytest.mark.django_db
def test_a_budget_counts_its_month_or_all_time():
    month, total = made(budget_period="month"), made()
    for key in (month, total):
        services.record_api_usage(key=key, model="crow", prompt_tokens=3, completion_tokens=2)
        services.record_api_usage(key=key, model="owl", prompt_tokens=5)
        first = timezone.now().date().replace(day=1)
        ApiUsage.objects.filter(key=key, model="owl").update(day=first - timedelta(days=1))

    assert [selectors.tokens_spent(key) for key in (month, total)] == [5, 10]


@pytest.mark.django_db
def test_the_command_prints_rows_and_sums():
    laptop, desk = made(), made("desk")
    services.record_api_usage(key=laptop, model="crow", prompt_tokens=3, completion_tokens=2)
    services.record_api_usage(key=desk, model="crow", prompt_tokens=10, is_failed=True)

    lines = printed().splitlines()
    rows = json.loads(printed("--json", "--key", "laptop"))["rows"]

    assert lines[-1].split() == ["total", "2", "13", "2", "1"]
    assert [row["prompt_tokens"] for row in rows] == [3]
    assert rows[0]["prefix"] == laptop.prefix


@pytest.mark.django_db
def test_days_long_past_are_left_out():
    services.record_api_usage(key=made(), model="crow")
    ApiUsage.objects.update(day=timezone.now().date() - timedelta(days=7))

    assert printed("--days", "7") == "No key was used in this time.\n"
    assert "crow" in printed("--days", "8")


@pytest.mark.parametrize("days", ["0", "3651"])
def test_days_that_mean_nothing_are_refused(days):
    with pytest.raises(CommandError) as refusal:
        printed("--days", days)

    assert refusal.value.returncode == 2


@pytest.mark.django_db(transaction=True)
def test_a_dump_of_the_database_holds_no_key():
    key, text = services.create_api_key(name="laptop")
    services.note_api_key_use(key=key)
    services.record_api_usage(key=key, model="crow")
    secret = text[-43:]

    with connection.cursor() as cursor:
        dump = []
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            dump += [str(row) for row in cursor.fetchall()]

    assert any(key.key_hash in row for row in dump)
    assert not any(text in row or secret in row for row in dump)
