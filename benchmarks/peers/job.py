"""A measurement as a peer sees it: a job comes in as JSON, then a line of JSON a repetition.

Every peer imports this module into an environment of its own, so it needs the standard library
only. The clock and the CPU are read here, in the same way for all.
"""

import json
import os
import random
import statistics
import string
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

WARM_UP_TOKENS = 16
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Job:
    """What a peer is to run.

    Attributes:
        folder: the model, saved by transformers with its tokenizer.
        dtype: precision of the weights: "float32" or "bfloat16".
        device: "cpu" or "cuda".
        threads: threads that compute.
        streams: how many answers run at once, one measurement each.
        prompt_tokens: length of each prompt.
        new_tokens: length of each answer.
        repetitions: runs of each measurement, after one to warm up.
        has_times: also tell when each token of each stream came.
    """

    folder: str
    dtype: str
    device: str
    threads: int
    streams: tuple[int, ...]
    prompt_tokens: int
    new_tokens: int
    repetitions: int
    has_times: bool = False

    @property
    def window(self) -> int:
        """Tokens a sequence needs room for, with some to spare."""
        return self.prompt_tokens + self.new_tokens + 16


@dataclass(frozen=True, slots=True)
class Measurement:
    """One repetition.

    Attributes:
        streams: answers at once.
        tokens: new tokens, all streams together.
        seconds: from the first submission to the last token.
        cpu_s: CPU time of the process and its children in between.
        first_token_s: from the submission to a stream's first token, median over streams.
        step_s: clock time in which each stream gets one token, once all have had their first.
        clock_times_s: when each token came, one list a stream, where the job asks for it.
        cpu_times_s: the CPU time until then, likewise.
    """

    streams: int
    tokens: int
    seconds: float
    cpu_s: float
    first_token_s: float
    step_s: float
    clock_times_s: list[list[float]]
    cpu_times_s: list[list[float]]


class Stopwatch:
    """Notes when tokens come; a token counts once it is in the host's memory."""

    def __init__(self, job: Job, streams: int) -> None:
        self._job = job
        self._streams = streams
        self._times: list[list[float]] = [[] for _ in range(streams)]
        self._cpu_times: list[list[float]] = [[] for _ in range(streams)]
        self._cpu_start = cpu_seconds()
        self.start = time.perf_counter()

    def token(self, stream: int, at: float | None = None) -> None:
        """Note a token of a stream, now or at a reading of `time.perf_counter`."""
        self._times[stream].append((at or time.perf_counter()) - self.start)
        if self._job.has_times:
            self._cpu_times[stream].append(cpu_seconds() - self._cpu_start)

    def measurement(self, new_tokens: int) -> Measurement:
        """Return what was seen since the start.

        Raises:
            RuntimeError: a stream got more or fewer than `new_tokens` tokens.
        """
        seconds, cpu_s = time.perf_counter() - self.start, cpu_seconds() - self._cpu_start
        counts = {len(times) for times in self._times}
        if counts != {new_tokens}:
            raise RuntimeError(f"streams got {sorted(counts)} tokens instead of {new_tokens}")
        all_began = max(times[0] for times in self._times)
        later = sum(at > all_began for times in self._times for at in times)
        return Measurement(
            streams=self._streams,
            tokens=self._streams * new_tokens,
            seconds=seconds,
            cpu_s=cpu_s,
            first_token_s=statistics.median(times[0] for times in self._times),
            step_s=(seconds - all_began) * self._streams / max(1, later),
            clock_times_s=self._times if self._job.has_times else [],
            cpu_times_s=self._cpu_times,
        )


# Answers all prompts with so many tokens each, and tells the stopwatch of every token.
Answer = Callable[[Sequence[str], int, Stopwatch], None]


def prompts_of(job: Job, streams: int, repetition: int) -> list[str]:
    """Return prompts that no other repetition has, of one token a character."""
    return [
        words(f"{streams} {repetition} {stream}", job.prompt_tokens) for stream in range(streams)
    ]


def words(seed: str, tokens: int) -> str:
    """Return letters of so many tokens, the same for the same seed."""
    return "".join(random.Random(seed).choices(string.ascii_lowercase, k=tokens))


def serve(open_peer: Callable[[Job], Answer]) -> None:
    """Read a job from standard input, then numbers of streams and repetitions, a line each.

    Every line gets its answer on standard output: an empty object when the model is loaded, then
    a `Measurement` a repetition.
    """
    # Libraries print what they like to what they take for standard output.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = read_job(sys.stdin.readline())
    answer = open_peer(job)
    print("{}", file=results, flush=True)
    for line in sys.stdin:
        measurement = run(answer, job, **json.loads(line))
        print(json.dumps(asdict(measurement)), file=results, flush=True)
    os._exit(0)  # some engines leave threads behind that wait for more work for ever


def run(answer: Answer, job: Job, streams: int, repetition: int) -> Measurement:
    """Run one repetition; number 0 is short and warms up."""
    new_tokens = job.new_tokens if repetition else min(WARM_UP_TOKENS, job.new_tokens)
    prompts = prompts_of(job, streams, repetition)
    watch = Stopwatch(job, streams)
    answer(prompts, new_tokens, watch)
    return watch.measurement(new_tokens)


def read_job(text: str) -> Job:
    """Read what `json.dumps(asdict(job))` wrote."""
    fields = json.loads(text)
    return Job(**{**fields, "streams": tuple(fields["streams"])})


def cpu_seconds() -> float:
    """Return the CPU time of this process and, where the system tells, its living children."""
    return time.process_time() + sum(cpu_seconds_of(child) for child in _children_of(os.getpid()))


def cpu_seconds_of(process: int) -> float:
    """Return the CPU time of a process and its living children; 0 where it has just ended."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    # The name in brackets may hold anything; user and system time are fields 14 and 15.
    user, system = stat.rpartition(")")[2].split()[11:13]
    own_s = (int(user) + int(system)) / TICKS_PER_S
    return own_s + sum(cpu_seconds_of(child) for child in _children_of(process))


def _children_of(process: int) -> list[int]:
    """Processes that any thread of this one started."""
    found: list[int] = []
    for path in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += map(int, path.read_text(encoding="utf-8").split())
        except OSError:
            continue  # the thread has ended
    return found
