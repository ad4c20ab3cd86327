"""Model workers: admit a request, put a task into the queue of its model."""

import logging
import math

from asgiref.sync import sync_to_async
from celery import current_app
from django.db import DatabaseError
from kombu.exceptions import OperationalError

from inference import selectors
from inference.bus.events import Event
from inference.conf import InferenceSettings, inference_settings
from inference.exceptions import (
    BusUnavailableError,
    InvalidRequestError,
    ModelUnavailableError,
)
from inference.generation import Failure, FinishReason
from inference.messages import images_of
from inference.providers.transport import ask, post, site_bus
from inference.requests import AnyRequest, EmbeddingRequest

logger = logging.getLogger(__name__)

TASK = "inference.generate"


def queue_of(model: str) -> str:
    """Return the name of the Celery queue of a model."""
    return f"model.{model}"


def publish_task(model: str, request_id: str, attempt: int) -> None:
    """Put the task of one attempt into its model's queue; may wait a little for the broker.

    Raises:
        BusUnavailableError: the broker does not answer.
    """
    try:
        current_app.send_task(
            TASK, args=[request_id, attempt, model], queue=queue_of(model), ignore_result=True
        )
    except (OperationalError, OSError) as error:
        raise BusUnavailableError(f"the broker does not answer: {error}") from error


class WorkerProvider:
    """Requests for models that workers hold."""

    async def start(self, request: AnyRequest, *, inbox: str) -> None:
        """Admit a request and publish its task; see `Provider.start`."""
        settings = inference_settings()
        check_size(request, settings)
        bus = site_bus()
        workers = await ask(bus.workers_of, request.model)
        if not workers:
            await self._raise_not_served(request.model)
        slots = sum(worker.slots for worker in workers)
        await ask(
            bus.submit,
            request,
            inbox=inbox,
            capacity=max(1, math.ceil(slots * settings.admission_factor)),
            retry_after_s=settings.retry_after_s,
        )
        try:
            await ask(publish_task, request.model, request.request_id, 0)
        except BusUnavailableError:
            failure = Failure("bus_unavailable", "the request could not be queued")
            end = Event(request.request_id, 0, 0, finish_reason=FinishReason.ERROR, failure=failure)
            post(bus.close_request, request.request_id, attempt=0, event=end)
            raise

    async def _raise_not_served(self, model: str) -> None:
        try:
            await sync_to_async(selectors.model_named)(model)
        except DatabaseError:  # nobody can tell whether the model exists, but it is not here
            logger.warning("the database did not tell whether %r exists", model)
        raise ModelUnavailableError(model)


def check_size(request: AnyRequest, settings: InferenceSettings) -> None:
    """Refuse a request that is empty or larger than the bus should carry.

    Raises:
        InvalidRequestError: it says nothing, or too much, or has too many or too large images.
    """
    if request.is_empty:
        raise InvalidRequestError("there is no message to answer", param=request.subject)
    size = request.text_bytes
    if size > settings.prompt_bytes:
        raise InvalidRequestError(
            f"the {request.subject} have {size} bytes, the limit is {settings.prompt_bytes}",
            param=request.subject,
        )
    images = [] if isinstance(request, EmbeddingRequest) else images_of(request.messages)
    if len(images) > settings.images_per_request:
        raise InvalidRequestError(
            f"the messages have {len(images)} images, the limit is {settings.images_per_request}",
            param="messages",
        )
    largest = max((len(image.data) for image in images), default=0)
    if largest > settings.image_bytes:
        raise InvalidRequestError(
            f"an image has {largest} bytes, the limit is {settings.image_bytes}", param="messages"
        )
