"""This project's engine."""

from collections.abc import Sequence

from transformers import AutoTokenizer

from benchmarks.peers.job import Answer, Job, Stopwatch, serve
from benchmarks.peers.loading import load_model
from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from inference.messages import Message, Role

# A step's most tokens: on CPU the default, on CUDA enough to keep the device busy with prompts.
STEP_TOKENS = {"cpu": EngineConfig().max_batched_tokens, "cuda": 2048}


def open_engine(job: Job) -> LLMEngine:
    """Load the job's model into an engine with room for its largest number of streams."""
    model = load_model(job)
    config = EngineConfig(
        max_num_seqs=max(job.streams),
        max_batched_tokens=STEP_TOKENS[job.device],
        context_length=job.window,
        threads=job.threads,
    )
    return LLMEngine(model, AutoTokenizer.from_pretrained(job.folder), config)


def open_peer(job: Job) -> Answer:
    """Load the model; return what answers with it."""
    engine = open_engine(job)

    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        params = SamplingParams(temperature=0, max_tokens=new_tokens, ignore_eos=True)
        for number, prompt in enumerate(prompts):
            engine.submit(str(number), messages=[Message(Role.USER, prompt)], params=params)
        while engine.has_work():
            for output in engine.step():
                watch.token(int(output.request_id))

    return answer


if __name__ == "__main__":
    serve(open_peer)
