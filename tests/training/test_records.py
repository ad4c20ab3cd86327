"""What is stored about runs, and what the admin shows of it."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from training import selectors, services
from training.conf import training_settings
from training.models import TrainingRun

pytestmark = pytest.mark.django_db

POINT = {"loss": 1.5, "learning_rate": 1e-3, "grad_norm": 0.5, "tokens_per_s": 900.0}


def begin(folder="/runs/tiny", **more):
    return services.start_run(recipe={"name": "tiny"}, output_dir=folder, steps=10, **more)


def test_a_run_begins_running_with_an_unguessable_id():
    run = begin()

    assert run.state == TrainingRun.State.RUNNING
    assert len(run.public_id) == 32
    assert run.finished_at is None


def test_measuring_the_same_step_again_replaces_the_point():
    run = begin()
    services.record_metric(run=run, step=4, **POINT)
    services.record_metric(run=run, step=2, **POINT)

    services.record_metric(run=run, step=4, **{**POINT, "loss": 0.5})

    assert [(m.step, m.loss) for m in selectors.metrics_of(run)] == [(2, 1.5), (4, 0.5)]
    run.refresh_from_db()
    assert (run.step, run.loss) == (4, 0.5)


def test_resuming_continues_the_newest_run_of_the_folder():
    services.stop_run(run=begin())
    newest = services.stop_run(run=begin())
    services.stop_run(run=begin(folder="/runs/other"))

    resumed = begin(is_resumed=True)

    assert resumed == newest
    assert resumed.state == TrainingRun.State.RUNNING
    assert TrainingRun.objects.count() == 3


def test_resuming_a_folder_the_database_does_not_know_begins_a_run():
    assert begin(is_resumed=True).state == TrainingRun.State.RUNNING


@pytest.mark.parametrize(
    "wrong",
    [
        {"step": 11},
        {"finished_at": timezone.now()},
        {"state": TrainingRun.State.FINISHED},
    ],
)
def test_the_database_refuses_an_impossible_run(wrong):
    run = begin()

    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.filter(pk=run.pk).update(**wrong)


def test_the_list_of_runs_takes_one_query(django_assert_num_queries):
    for number in range(3):
        begin(folder=f"/runs/{number}")

    with django_assert_num_queries(1):
        assert [run.model for run in selectors.recent_runs()] == [None] * 3


def test_a_setting_that_means_nothing_is_refused(settings):
    settings.TRAINING = {"epochs": 3}

    with pytest.raises(ValueError, match="unknown keys: epochs"):
        training_settings()


def test_the_admin_shows_runs_and_lets_nobody_edit_them(admin_client):
    run = begin()
    services.record_metric(run=run, step=4, **POINT)

    listed = admin_client.get(reverse("admin:training_trainingrun_changelist"))
    page = admin_client.get(reverse("admin:training_trainingrun_change", args=[run.pk]))
    added = admin_client.get(reverse("admin:training_trainingrun_add"))
    metrics = admin_client.get(reverse("admin:training_trainingmetric_changelist"))

    assert "4 / 10" in listed.content.decode()
    assert 'name="_save"' not in page.content.decode()
    assert added.status_code == 403
    assert metrics.status_code == 200
