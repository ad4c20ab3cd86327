"""One way of keeping a model's weights, measured in a process of its own.

Its memory is counted from before the model is loaded; torch and transformers are there by then.
"""

import json
import sys
import time
from collections.abc import Sequence as Items
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.sequence import Chunk, Sequence
from inference.free_memory import return_unused_memory
from inference.generation import SamplingParams
from inference.loading.loader import load_model
from inference.messages import Message, Role

WINDOW = 256


@dataclass(frozen=True, slots=True)
class Job:
    """What is measured.

    Attributes:
        folder: the model.
        load_options: as `load_model` takes them.
        weights: as `EngineConfig` takes it.
        prompts: what is answered and scored.
        truth: file with the tokens and the scores of exact weights; made where it is missing.
        new_tokens: length of an answer.
        streams: answers at once, one measurement each.
    """

    folder: str
    load_options: dict[str, Any]
    weights: str
    prompts: tuple[str, ...]
    truth: str
    new_tokens: int
    streams: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found.

    Attributes:
        held_mb: memory the model took once it had answered, which nobody can take back.
        mapped_mb: pages of its files that are in memory beside; the system drops them at will.
        peak_mb: most of both on the way there.
        load_s: CPU time of loading, the engine's layout of weights included.
        error: distance of all scores from the exact ones, over their size.
        agreement: share of positions whose likeliest token is the exact weights' own.
        loss: mean negative log likelihood of the exact weights' answers, in nats a token.
        tokens_per_cpu_s: new tokens in a second of CPU time, for each number of streams.
        way: how the engine computes.
    """

    held_mb: float
    mapped_mb: float
    peak_mb: float
    load_s: float
    error: float
    agreement: float
    loss: float
    tokens_per_cpu_s: tuple[float, ...]
    way: str


def measure(job: Job) -> Result:
    """Load a model one way, compare its scores with the exact ones, and time it."""
    torch.set_num_threads(1)
    before = {name: resident_bytes(name) for name in ("RssAnon", "RssFile", "VmRSS")}
    began = time.process_time()
    loaded = load_model(job.folder, **job.load_options)
    config = EngineConfig(
        max_num_seqs=max(job.streams),
        context_length=WINDOW,
        weights=job.weights,  # type: ignore[arg-type]  # checked by the configuration
        threads=1,
        prefix_cache=False,
    )
    engine = LLMEngine(loaded.model, loaded.tokenizer, config)
    return_unused_memory()
    load_s = time.process_time() - began
    truth = truth_of(job, engine, loaded.tokenizer)
    rows = [row for row in truth if row.startswith("tokens")]
    scores = [scores_of(engine, truth[row].tolist()) for row in rows]
    exact = [truth[row.replace("tokens", "scores")] for row in rows]
    ours, theirs = torch.cat(scores), torch.cat(exact)
    following = torch.cat([truth[row][1:] for row in rows])
    inner = torch.cat([row[:-1] for row in scores])
    speeds = tuple(speed_of(engine, job.prompts, count, job.new_tokens) for count in job.streams)
    return Result(
        (resident_bytes("RssAnon") - before["RssAnon"]) / 1e6,
        (resident_bytes("RssFile") - before["RssFile"]) / 1e6,
        (resident_bytes("VmHWM") - before["VmRSS"]) / 1e6,
        load_s,
        float((ours - theirs).norm() / theirs.norm()),
        float((ours.argmax(-1) == theirs.argmax(-1)).float().mean()),
        float(torch.nn.functional.cross_entropy(inner, following)),
        speeds,
        engine.describe().partition(",")[0],
    )


def truth_of(job: Job, engine: LLMEngine, tokenizer: Any) -> dict[str, Tensor]:
    """Return tokens and scores of the exact weights; the first job, whose weights they are, writes.

    The tokens are prompts and the greedy answers to them.
    """
    if not Path(job.truth).exists():
        truth = {}
        answers = answers_of(engine, job.prompts, job.new_tokens)
        for number, (prompt, answer) in enumerate(zip(job.prompts, answers, strict=True)):
            text = tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
            )
            tokens = [*tokenizer(text, add_special_tokens=False)["input_ids"], *answer]
            truth[f"tokens {number}"] = torch.tensor(tokens)
            truth[f"scores {number}"] = scores_of(engine, tokens)
        save_file(truth, job.truth)
    return load_file(job.truth)


@torch.inference_mode()
def scores_of(engine: LLMEngine, tokens: list[int]) -> Tensor:
    """Return the scores after every token, float [T, V]."""
    size = engine._chosen.shape.block_size  # noqa: SLF001 (an idle engine's own runner)
    count = -(-len(tokens) // size)
    sequence = Sequence(
        "scores",
        tokens,
        prompt_tokens=len(tokens),
        max_tokens=1,
        blocks=list(range(count)),
        runs=[(0, count)],
    )
    chunk = Chunk(sequence, 0, len(tokens), scored=len(tokens))
    scores = engine._runner.compute([chunk]).float().clone()  # noqa: SLF001
    engine._runner.forget(sequence)  # noqa: SLF001
    return scores


def answers_of(engine: LLMEngine, prompts: Items[str], new_tokens: int) -> list[list[int]]:
    """Return the tokens of greedy answers, all generated at once."""
    params = SamplingParams(temperature=0, max_tokens=new_tokens, ignore_eos=True)
    for number, prompt in enumerate(prompts):
        engine.submit(str(number), messages=[Message(Role.USER, prompt)], params=params)
    answers: list[list[int]] = [[] for _ in prompts]
    while engine.has_work():
        for output in engine.step():
            if output.token is not None:
                answers[int(output.request_id)].append(output.token)
    return answers


def speed_of(engine: LLMEngine, texts: Items[str], streams: int, new_tokens: int) -> float:
    """Return new tokens in a second of CPU time, after one run to warm up."""
    prompts = [texts[number % len(texts)] for number in range(streams)]
    answers_of(engine, prompts, 4)
    began = time.process_time()
    answers_of(engine, prompts, new_tokens)
    return streams * new_tokens / (time.process_time() - began)


def resident_bytes(name: str) -> int:
    """Return this process's resident memory, or the most it had, as Linux counts it."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not tell {name}")


if __name__ == "__main__":
    print(json.dumps(asdict(measure(Job(**json.loads(sys.argv[1]))))))
