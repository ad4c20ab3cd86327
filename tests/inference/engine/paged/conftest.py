import pytest
import torch

from inference.engine.cache_layouts import PagedLayout
from inference.engine.paged.gathered import GatheredAttention
from tests.support.pretend_graphs import PretendRecorder


@pytest.fixture
def recorder() -> PretendRecorder:
    return PretendRecorder()


@pytest.fixture
def in_pages(monkeypatch, recorder):
    """Let engines lay their cache out in pages on CPU, and capture decode steps."""

    def layouts_for(model, config):
        record = recorder if config.cuda_graphs else None
        yield PagedLayout(GatheredAttention(), torch.device("cpu"), record=record)

    monkeypatch.setattr("inference.engine.runner_choice.layouts_for", layouts_for)
