"""Real processes, started by torchrun or by hand, that share small models on CPU through gloo."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import transformers as hf

from tests.support.architectures import EXPERTS, SHAPE, random_model
from tests.support.engine_runs import naive_greedy
from tests.support.ports import free_port, wait_until
from tests.support.tiny_models import byte_tokenizer

ROOT = Path(__file__).resolve().parents[4]
PROMPTS = ["Hello!", "Tell me about the sea and the sky. " * 3, "x", "Who are you?"]
MODELS = {
    "llama": hf.LlamaConfig(**SHAPE),
    "tied": hf.LlamaConfig(**SHAPE, tie_word_embeddings=True),
    "qwen2": hf.Qwen2Config(**SHAPE),
    "qwen3": hf.Qwen3Config(**SHAPE, head_dim=16),
    "phi3": hf.Phi3Config(**SHAPE),
    "mixtral": hf.MixtralConfig(**EXPERTS, num_local_experts=4),
}
CONFIG = {
    "context_length": 256,
    "max_num_seqs": 4,
    "max_batched_tokens": 32,  # the long prompt comes in chunks
    "kv_cache_tokens": 288,  # too few for all four at their longest
    "threads": 1,
}
LENGTH = 64
MODULE = "tests.support.shared_model"


def environment():
    return os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def save(config, folder):
    model = random_model(config)
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return model


def task_for(*folders, max_tokens, rounds):
    return json.dumps(
        {
            "folders": [str(folder) for folder in folders],
            "prompts": PROMPTS,
            "config": CONFIG,
            "max_tokens": max_tokens,
            "rounds": rounds,
        }
    )


@pytest.mark.slow
def test_two_processes_answer_as_the_whole_model_does(tmp_path):
    models = {name: save(config, tmp_path / name) for name, config in MODELS.items()}
    task = task_for(*(tmp_path / name for name in MODELS), max_tokens=LENGTH, rounds=2)

    done = subprocess.run(
        ["torchrun", "--standalone", "--nproc-per-node", "2", "-m", MODULE, task],
        executable=str(Path(sys.executable).parent / "torchrun"),
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=170,
    )

    assert done.returncode == 0, done.stderr
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    results = [facts for facts in said if "answers" in facts]
    assert len([facts for facts in said if "left" in facts]) == len(MODELS)
    for (name, model), facts in zip(models.items(), results, strict=True):
        own = [naive_greedy(model, byte_tokenizer(), prompt, LENGTH) for prompt in PROMPTS]
        assert facts["runner"] == "PackedRunner", name
        assert facts["answers"] == [own, own], name
        assert facts["preemptions"] > 0, name


class Rank:
    """One process of a model, started without torchrun, which would end it with the other."""

    def __init__(self, number, port, task, log):
        self.log = log
        torch_variables = {
            "RANK": str(number),
            "LOCAL_RANK": str(number),
            "WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", MODULE, task],
                cwd=ROOT,
                env=environment() | torch_variables,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def output(self):
        return self.log.read_text()


@pytest.fixture
def ranks(tmp_path):
    """Two processes in the middle of long answers."""
    save(MODELS["llama"], tmp_path / "llama")
    task, port = task_for(tmp_path / "llama", max_tokens=200, rounds=1_000), free_port()
    ranks = [Rank(number, port, task, tmp_path / f"{number}.log") for number in range(2)]
    try:
        wait_until(lambda: "ready" in ranks[0].output(), what="the leader answers", timeout_s=120)
        yield ranks
    finally:
        for rank in ranks:
            rank.process.kill()
            rank.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1], ids=["leader", "follower"])
def test_a_process_whose_partner_was_killed_ends_loudly(ranks, victim):
    survivor = ranks[1 - victim]

    ranks[victim].process.kill()
    status = survivor.process.wait(timeout=60)

    assert status != 0
    assert "EngineLostError" in survivor.output()
