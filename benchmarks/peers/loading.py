"""Loads a job's model with transformers, of whichever version the peer brings."""

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from benchmarks.peers.job import Job


def load_model(job: Job) -> Any:
    """Return the model in the job's precision on its device; torch computes with its threads."""
    torch.set_num_threads(job.threads)
    model: Any = AutoModelForCausalLM.from_pretrained(job.folder, dtype=getattr(torch, job.dtype))
    return model.to(job.device).eval()
