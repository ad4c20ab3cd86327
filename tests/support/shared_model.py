"""One process of a model that several share: answers as leader, computes along as follower.

    torchrun --nproc-per-node 2 -m tests.support.shared_model '{"folders": […], "prompts": […]}'

The leader prints one line of JSON for each model: how it ran and the tokens of every answer.
"""

import json
import sys
from typing import Any

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.parallel.channel import PlanChannel
from inference.engine.parallel.runner import LeadingRunner, follow
from inference.engine.runner_choice import choose_runner
from inference.generation import SamplingParams
from inference.loading.loader import LoadedModel, load_model
from inference.loading.ranks import join_ranks, leave_ranks
from tests.support.engine_runs import answer_together


def say(**facts: Any) -> None:
    """Print a line for the test; the lines of two processes never run into one another."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def lead(loaded: LoadedModel, config: EngineConfig, channel: PlanChannel, task: Any) -> None:
    """Answer all prompts and let the others go."""
    engine = LLMEngine(loaded.model, loaded.tokenizer, config, channel=channel)
    runner = engine._runner
    assert isinstance(runner, LeadingRunner)
    say(ready=config.name)
    params = SamplingParams(temperature=0.0, max_tokens=task["max_tokens"], ignore_eos=True)
    answers = [answer_together(engine, task["prompts"], params) for _ in range(task["rounds"])]
    stats = engine.stats()
    say(
        model=config.name,
        runner=type(runner._runner).__name__,
        answers=answers,
        preemptions=stats.preemptions,
        steps=stats.steps,
    )
    channel.dismiss()


def main(task: dict[str, Any]) -> None:
    """Run this process's part for every model, one after the other."""
    join_ranks("cpu")
    channel = PlanChannel()
    for folder in task["folders"]:
        loaded = load_model(folder, tensor_parallel=True)
        config = EngineConfig(**task["config"], name=folder)
        if channel.is_leader:
            lead(loaded, config, channel, task)
        else:
            window = task["config"]["context_length"]
            chosen = choose_runner(loaded.model, config, context_length=window)
            follow(chosen.runner, channel, threads=1)
            say(left=folder)
    leave_ranks()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
