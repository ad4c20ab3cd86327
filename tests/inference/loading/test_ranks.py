import pytest
import torch
import torch.distributed as dist
from transformers import BloomConfig, LlamaConfig, Phi3Config

from inference.exceptions import ModelLoadError
from inference.loading.loader import load_model
from inference.loading.ranks import check_can_be_shared, join_ranks, leave_ranks
from tests.support.ports import free_port

HEADS = {"num_attention_heads": 12, "num_key_value_heads": 4, "hidden_size": 96}


@pytest.fixture
def alone(monkeypatch):
    """What torchrun tells the only process it starts."""
    told = {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1"}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", str(free_port()))


def test_a_process_that_nobody_launched_is_told_how(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)

    with pytest.raises(ModelLoadError, match="torchrun --nproc-per-node"):
        join_ranks("cpu")


def test_a_single_process_shares_nothing(alone):
    with pytest.raises(ModelLoadError, match="at least two processes"):
        join_ranks("cpu")

    assert not dist.is_initialized()


@pytest.mark.parametrize(("device", "words"), [("mps", "cpu, cuda, xpu"), ("cuda", "here cpu")])
def test_ranks_meet_on_the_device_of_the_machine(device, words, monkeypatch):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: None)

    with pytest.raises(ModelLoadError, match=words):
        join_ranks(device)


@pytest.mark.parametrize(("local_rank", "taken"), [(1, [1]), (2, [])])
def test_each_process_takes_a_device_of_its_own(local_rank, taken, alone, monkeypatch):
    chosen = []
    machine = torch.accelerator
    monkeypatch.setattr(machine, "current_accelerator", lambda: torch.device("cuda"))
    monkeypatch.setattr(machine, "device_count", lambda: 2)
    monkeypatch.setattr(machine, "set_device_index", chosen.append)
    monkeypatch.setattr(dist, "init_process_group", lambda *_, **__: None)
    monkeypatch.setattr(dist, "get_world_size", lambda: 3)
    monkeypatch.setenv("LOCAL_RANK", str(local_rank))

    if taken:
        join_ranks("cuda")
    else:
        with pytest.raises(ModelLoadError, match=r"process 2 .* there are 2 cuda devices"):
            join_ranks("cuda")

    assert chosen == taken


@pytest.mark.parametrize("ranks", [2, 4])
def test_heads_that_can_be_dealt_out_are_accepted(ranks):
    check_can_be_shared(LlamaConfig(**HEADS), ranks=ranks)


@pytest.mark.parametrize(
    ("config", "ranks", "words"),
    [
        (LlamaConfig(**HEADS), 5, r"12 \(num_attention_heads\) .* 5 processes"),
        (LlamaConfig(**HEADS), 6, r"4 \(num_key_value_heads\) .* 6 processes"),
        (BloomConfig(), 2, "no tensor-parallel plan for 'bloom'"),
    ],
)
def test_a_model_that_cannot_be_shared_says_why(config, ranks, words):
    with pytest.raises(ModelLoadError, match=words):
        check_can_be_shared(config, ranks=ranks)


def test_a_model_whose_heads_stay_together_needs_no_even_number():
    check_can_be_shared(Phi3Config(**HEADS), ranks=5)


@pytest.mark.parametrize("option", [{"load_8bit": True}, {"load_4bit": True}])
def test_weights_in_few_bits_are_not_shared(model_folder, option):
    with pytest.raises(ModelLoadError, match="neither --num-gpus nor"):
        load_model(str(model_folder), tensor_parallel=True, **option)


def test_ranks_part(alone, monkeypatch):
    dist.init_process_group("gloo")

    leave_ranks()

    assert not dist.is_initialized()
