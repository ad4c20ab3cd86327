import pytest

from leaderboard.models import BoardState, PairCount, Snapshot
from tests.leaderboard.votes import cast_votes

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("table", ["boardstate", "paircount", "snapshot"])
def test_every_table_can_be_looked_at_and_searched(admin_client, table):
    cast_votes("A B tie")
    BoardState.objects.get(board="overall")

    assert admin_client.get(f"/admin/leaderboard/{table}/").status_code == 200
    assert admin_client.get(f"/admin/leaderboard/{table}/?q=A").status_code == 200
    assert admin_client.get(f"/admin/leaderboard/{table}/add/").status_code == 403


def test_a_board_is_published_from_the_admin(admin_client):
    cast_votes("A B tie")

    response = admin_client.post(
        "/admin/leaderboard/boardstate/",
        {"action": "publish", "_selected_action": ["overall"]},
        follow=True,
    )

    snapshot = Snapshot.objects.get()
    assert "1 snapshot published" in response.text
    assert "A" in admin_client.get(f"/admin/leaderboard/snapshot/{snapshot.pk}/change/").text


def test_counters_cannot_be_changed_by_hand(admin_client):
    cast_votes("A B tie")
    row = PairCount.objects.first()

    response = admin_client.post(f"/admin/leaderboard/paircount/{row.pk}/change/", {"ties": 99})

    assert response.status_code == 403
    row.refresh_from_db()
    assert row.ties == 1
