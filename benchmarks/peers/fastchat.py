"""FastChat's default worker loop, `generate_stream`, one request after the other."""

from collections.abc import Sequence

from fastchat.serve.inference import generate_stream  # type: ignore[import-not-found]
from transformers import PreTrainedTokenizerFast

from benchmarks.peers.job import Answer, Job, Stopwatch, serve
from benchmarks.peers.loading import load_model


def open_peer(job: Job) -> Answer:
    """Load the model; return what answers with it."""
    model = load_model(job)
    # The class that a newer transformers noted beside it is unknown here.
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=f"{job.folder}/tokenizer.json", eos_token="<eos>", pad_token="<pad>"
    )

    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        for stream, prompt in enumerate(prompts):
            params = {"prompt": prompt, "temperature": 0.0, "max_new_tokens": new_tokens}
            # It streams every second token unless told otherwise, and a last time at the end.
            outputs = generate_stream(
                model, tokenizer, {**params, "echo": False}, job.device, job.window, 2
            )
            told = 0
            for output in outputs:
                reached = output["usage"]["completion_tokens"] + 1
                for _ in range(reached - told):
                    watch.token(stream)
                told = reached

    return answer


if __name__ == "__main__":
    serve(open_peer)
