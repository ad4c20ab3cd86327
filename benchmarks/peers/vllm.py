"""VLLM on the CPU, its engine stepped by us."""

from collections.abc import Sequence

from vllm import EngineArgs, SamplingParams  # type: ignore[import-not-found]
from vllm.sampling_params import RequestOutputKind  # type: ignore[import-not-found]
from vllm.v1.engine.llm_engine import LLMEngine  # type: ignore[import-not-found]

from benchmarks.peers.job import Answer, Job, Stopwatch, serve


def open_peer(job: Job) -> Answer:
    """Load the model; return what answers with it."""
    engine = LLMEngine.from_engine_args(
        EngineArgs(
            model=job.folder,
            dtype=job.dtype,
            max_model_len=job.window,
            max_num_seqs=max(job.streams),
            disable_log_stats=True,
        )
    )

    def answer(prompts: Sequence[str], new_tokens: int, watch: Stopwatch) -> None:
        params = SamplingParams(
            temperature=0,
            max_tokens=new_tokens,
            ignore_eos=True,
            output_kind=RequestOutputKind.DELTA,
        )
        for stream, prompt in enumerate(prompts):
            engine.add_request(str(stream), prompt, params)
        while engine.has_unfinished_requests():
            for output in engine.step():
                for _ in output.outputs[0].token_ids:
                    watch.token(int(output.request_id))

    return answer


if __name__ == "__main__":
    serve(open_peer)
