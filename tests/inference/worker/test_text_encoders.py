from pathlib import Path

import pytest

from inference.bus.base import BusConfig
from inference.bus.local import LocalBus
from inference.conf import InferenceSettings
from inference.generation import FinishReason, GenerationRequest
from inference.messages import Message, Role
from inference.worker.model_specs import host_model, parse_spec
from tests.support.text_models import save_encoder


def test_a_worker_of_a_model_without_a_head_refuses_to_chat(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "bert", pooling={"pooling_mode_cls_token": True})
    bus = LocalBus(BusConfig())
    request = GenerationRequest("bert", (Message(Role.USER, "Hi"),))

    host = host_model(
        parse_spec(str(folder), device="cpu"),
        bus=bus,
        settings=InferenceSettings(),
        on_fatal=pytest.fail,
    )
    try:
        bus.submit(request, inbox="test", capacity=1, retry_after_s=1)
        host.answer(request.request_id, 0)
        end = bus.attach(request.request_id, "test").log[-1]
    finally:
        host.close()
        bus.close()

    assert end.finish_reason is FinishReason.ERROR
    assert end.failure is not None
    assert end.failure.code == "invalid_request"
    assert "turns texts into vectors only" in end.failure.message
