"""The task of the serving path; Celery is its queue, liveness and retries are ours."""

from celery import shared_task

from inference.providers.worker import TASK
from inference.worker.celery_thread import WAKE_TASK
from inference.worker.hosts import host_of


@shared_task(name=TASK, ignore_result=True)  # type: ignore[untyped-decorator]  # Celery has no types
def generate(request_id: str, attempt: int, model: str) -> None:
    """Answer one request; a task delivered twice finds its request claimed and does nothing."""
    host_of(model).answer(request_id, attempt)


@shared_task(name=WAKE_TASK, ignore_result=True)  # type: ignore[untyped-decorator]
def wake() -> None:
    """Do nothing: a message that lets a consumer see that it is to stop."""
