import pytest

from tests.judge.test_models import judgment

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("table", ["question", "answer", "judgment"])
def test_every_table_can_be_looked_at_and_searched(admin_client, table):
    judgment(score=8).save()

    assert admin_client.get(f"/admin/judge/{table}/").status_code == 200
    assert admin_client.get(f"/admin/judge/{table}/?q=A").status_code == 200


@pytest.mark.parametrize("table", ["answer", "judgment"])
def test_what_a_run_has_written_is_not_typed_in_by_hand(admin_client, table):
    assert admin_client.get(f"/admin/judge/{table}/add/").status_code == 403
