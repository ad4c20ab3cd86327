"""Transformers' own `generate`, one request after the other."""

from collections.abc import Sequence

import torch
from transformers import AutoTokenizer
from transformers.generation.streamers import BaseStreamer

from benchmarks.peers.job import Answer, Job, Stopwatch, serve
from benchmarks.peers.loading import load_model


class _Streamer(BaseStreamer):
    """Tells the stopwatch of each token; the first thing it gets is the prompt."""

    def __init__(self, stream: int, watch: Stopwatch) -> None:
        self._stream = stream
        self._watch = watch
        self._has_prompt = False

    def put(self, value: torch.Tensor) -> None:  # noqa: ARG002  (its base names it)
        if self._has_prompt:
            self._watch.token(self._stream)
        self._has_prompt = True

    def end(self) -> None:
        """Nothing is held back."""


def open_peer(job: Job) -> Answer:
    """Load the model; return what answers with it."""
    model = load_model(job)
    tokenizer = AutoTokenizer.from_pretrained(job.folder)

    @torch.inference_mode()
    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        for stream, prompt in enumerate(prompts):
            ids = torch.tensor([tokenizer(prompt)["input_ids"]], device=job.device)
            output = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                eos_token_id=None,
                max_new_tokens=new_tokens,
                streamer=_Streamer(stream, watch),
            )
            tokenizer.decode(output[0, ids.shape[1] :])

    return answer


if __name__ == "__main__":
    serve(open_peer)
