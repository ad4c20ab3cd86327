"""How long a conversation's second turn waits for its first token, beside one nobody has seen.

    python -m benchmarks.engine_turns [--model …] [--dtype …] [--quick] [--json FILE]

The conversation has 2,000 tokens: a long message and its answer. Its second turn adds a short
message; the engine has the first turn's blocks still. The cold one has the same length in other
words.
"""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.engine_options import (
    DTYPES,
    Setting,
    engine_parser,
    facts_of,
    jobs_of,
    parse_engine_options,
)
from benchmarks.peers.job import Job, words
from benchmarks.peers.own_engine import open_engine
from benchmarks.report import report
from benchmarks.shapes import LLAMA, QWEN, TINY
from inference.engine.answer import StepOutput
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from inference.messages import Message, Role

# The prompt is the second turn's; new tokens are those of the first answer.
FULL = Setting((LLAMA, QWEN), DTYPES, (1,), 2000, 64, 3)
QUICK = Setting((TINY,), DTYPES[:1], (1,), 200, 16, 1)
NEXT_TOKENS = 32


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result: medians over the repetitions.

    Attributes:
        turn: "cold" or "second".
        model: which shape.
        dtype: precision of the weights.
        prompt_tokens: of the whole conversation.
        cached_tokens: how many of them the engine still had.
        first_token_s: from submission to the first token.
        first_token_cpu_s: the same in CPU time.
        ratio: `first_token_cpu_s` over that of the cold conversation.
    """

    turn: str
    model: str
    dtype: str
    prompt_tokens: int
    cached_tokens: int
    first_token_s: float
    first_token_cpu_s: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer and how long its first token took."""

    text: str
    prompt_tokens: int
    cached_tokens: int
    first_token_s: float
    first_token_cpu_s: float


def answered(engine: LLMEngine, messages: Sequence[Message], tokens: int) -> Answered:
    """Let the engine answer one conversation alone."""
    params = SamplingParams(temperature=0, max_tokens=tokens, ignore_eos=True)
    clock, cpu = time.perf_counter(), time.process_time()
    engine.submit("turn", messages=messages, params=params)
    outputs: list[StepOutput] = []
    while not outputs:
        outputs += engine.step()
    first_s, first_cpu_s = time.perf_counter() - clock, time.process_time() - cpu
    while engine.has_work():
        outputs += engine.step()
    usage = outputs[-1].usage
    assert usage is not None
    text = "".join(output.piece for output in outputs)
    return Answered(text, usage.prompt_tokens, usage.cached_tokens, first_s, first_cpu_s)


def two_turns(engine: LLMEngine, job: Job, repetition: int) -> tuple[Answered, Answered]:
    """Return the second turn of a conversation, and one as long that is new."""
    first_tokens = job.prompt_tokens - job.new_tokens - NEXT_TOKENS
    first = [Message(Role.USER, words(f"first {repetition}", first_tokens))]
    answer = answered(engine, first, job.new_tokens)
    following = Message(Role.USER, words(f"next {repetition}", NEXT_TOKENS))
    second = answered(engine, [*first, Message(Role.ASSISTANT, answer.text), following], 2)
    unseen = Message(Role.USER, words(f"unseen {repetition}", second.prompt_tokens))
    return second, answered(engine, [unseen], 2)


def measure(model: str, job: Job) -> list[Row]:
    """Measure both turns on one model."""
    engine = open_engine(job)
    pairs = [two_turns(engine, job, run) for run in range(job.repetitions + 1)][1:]
    cold_cpu_s = statistics.median(cold.first_token_cpu_s for _, cold in pairs)
    rows = []
    for turn, answers in (
        ("cold", [cold for _, cold in pairs]),
        ("second", [second for second, _ in pairs]),
    ):
        cpu_s = statistics.median(answer.first_token_cpu_s for answer in answers)
        clock_s = statistics.median(answer.first_token_s for answer in answers)
        prompt_tokens, cached_tokens = answers[-1].prompt_tokens, answers[-1].cached_tokens
        rows.append(
            Row(
                turn,
                model,
                job.dtype,
                prompt_tokens,
                cached_tokens,
                clock_s,
                cpu_s,
                cpu_s / cold_cpu_s,
            )
        )
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_engine_options(engine_parser(__doc__), arguments, full=FULL, quick=QUICK)
    rows = [row for model, job in jobs_of(options) for row in measure(model, job)]
    report(rows, options, **facts_of(options))


if __name__ == "__main__":
    main()
