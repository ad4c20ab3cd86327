from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.quantization import PROMPTS, WAYS
from benchmarks.quantization_job import Job, measure
from benchmarks.shapes import TINY, saved_model


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def job(way: str, folder: Path, truth: Path) -> Job:
    load_options, weights = WAYS[way]
    prompts = tuple(text for text in PROMPTS if text.isascii())[:2]
    return Job(str(folder), load_options, weights, prompts, str(truth), 2, (1, 2))


def test_fewer_bits_are_held_against_exact_weights(tmp_path):
    folder, truth = saved_model(TINY, tmp_path), tmp_path / "truth.safetensors"

    exact = measure(job("float32", folder, truth))
    bytes_of_ours = measure(job("own int8 from float32", folder, truth))

    assert (exact.error, exact.agreement) == (0, 1)
    assert 0 < bytes_of_ours.error < 0.1
    assert all(speed > 0 for speed in (*exact.tokens_per_cpu_s, *bytes_of_ours.tokens_per_cpu_s))
