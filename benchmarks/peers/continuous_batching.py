"""Transformers' own continuous batching (`sdpa_paged`; flash attention where it is installed)."""

from collections.abc import Sequence

from transformers import AutoTokenizer, GenerationConfig
from transformers.generation.configuration_utils import ContinuousBatchingConfig

from benchmarks.peers.job import Answer, Job, Stopwatch, serve
from benchmarks.peers.loading import load_model

PAGE_TOKENS = 256


def open_peer(job: Job) -> Answer:
    """Load the model and start its manager; return what answers with it."""
    model = load_model(job)
    tokenizer = AutoTokenizer.from_pretrained(job.folder)
    pages = max(job.streams) * -(-job.window // PAGE_TOKENS) + 1
    manager = model.init_continuous_batching(
        GenerationConfig(do_sample=False, eos_token_id=-1, max_new_tokens=job.new_tokens),
        # Left to itself it takes nine tenths of the memory.
        ContinuousBatchingConfig(page_size=PAGE_TOKENS, num_blocks=pages),
    )
    manager.warmup()
    manager.start()

    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        for stream, prompt in enumerate(prompts):
            manager.add_request(
                tokenizer(prompt)["input_ids"],
                request_id=str(stream),
                max_new_tokens=new_tokens,
                record_timestamps=True,
            )
        for _ in prompts:
            result = None
            while result is None:
                result = manager.get_result(timeout=1)
                if not manager.is_running():
                    raise RuntimeError("the manager has stopped")
            if result.error:
                raise RuntimeError(result.error)
            for at in result.timestamps:
                watch.token(int(result.request_id), at)
            tokenizer.decode(result.generated_tokens)

    return answer


if __name__ == "__main__":
    serve(open_peer)
