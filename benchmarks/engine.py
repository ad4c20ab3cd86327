"""How many tokens the engine makes in a CPU second, with 1 to 16 answers at once.

    python -m benchmarks.engine [--quick] [--json FILE]

The peer is transformers' own `generate`, one request after the other, on the same random Llama
in the same run. CPU seconds are this process's, so other work on the machine distorts them least.
"""

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from benchmarks.report import parse_options, report
from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from inference.messages import Message, Role

SEED = 7
TEMPLATE = "{% for message in messages %}{{ message.content }}{% endfor %}"


@dataclass(frozen=True, slots=True)
class Setting:
    """The size of a measurement.

    Attributes:
        hidden_size: width of the model; 64 for each of its heads.
        layers: depth of the model.
        prompt_tokens: length of each prompt.
        new_tokens: length of each answer.
        streams: how many answers run at once, one measurement each.
        repetitions: runs of each measurement; the median counts.
    """

    hidden_size: int
    layers: int
    prompt_tokens: int
    new_tokens: int
    streams: tuple[int, ...]
    repetitions: int


FULL = Setting(512, 12, 128, 128, (1, 4, 8, 16), 3)
QUICK = Setting(256, 4, 32, 32, (1, 4, 8, 16), 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the result.

    Attributes:
        engine: what was measured.
        dtype: precision of the weights.
        streams: answers at once.
        tokens_per_s: new tokens in a second of the clock, all streams together.
        tokens_per_cpu_s: new tokens in a second of CPU time.
        ratio: `tokens_per_cpu_s` over that of the peer.
    """

    engine: str
    dtype: str
    streams: int
    tokens_per_s: float
    tokens_per_cpu_s: float
    ratio: float


def random_llama(setting: Setting, dtype: torch.dtype) -> Any:
    """Return a Llama with random weights; the full setting has about 60 million."""
    torch.manual_seed(SEED)
    config = LlamaConfig(
        vocab_size=8192,
        hidden_size=setting.hidden_size,
        intermediate_size=setting.hidden_size * 11 // 4,
        num_hidden_layers=setting.layers,
        num_attention_heads=setting.hidden_size // 64,
        num_key_value_heads=setting.hidden_size // 64,
        max_position_embeddings=1024,
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
    )
    model: Any = LlamaForCausalLM(config)  # torch and transformers disagree on its types
    return model.to(dtype).eval()


def byte_tokenizer() -> PreTrainedTokenizerFast:
    """Return a tokenizer with one token a byte, so that a prompt's length is its tokens'."""
    symbols = ["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokenizer = Tokenizer(BPE({symbol: number for number, symbol in enumerate(symbols)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    fast.chat_template = TEMPLATE
    return fast


def prompts_of(setting: Setting, count: int) -> list[str]:
    """Return prompts of the same length that differ from their first token on."""
    return [
        (f"{number:02d} " * setting.prompt_tokens)[: setting.prompt_tokens]
        for number in range(count)
    ]


def run_engine(model: Any, setting: Setting, streams: int) -> Callable[[], int]:
    """Return a run of `streams` answers at once by this project's engine."""
    config = EngineConfig(
        max_num_seqs=streams,
        context_length=1024,
        prefix_cache=False,
        threads=torch.get_num_threads(),
    )
    engine = LLMEngine(copy.deepcopy(model), byte_tokenizer(), config)
    params = SamplingParams(temperature=0, max_tokens=setting.new_tokens, ignore_eos=True)

    def run() -> int:
        for number, prompt in enumerate(prompts_of(setting, streams)):
            engine.submit(str(number), messages=[Message(Role.USER, prompt)], params=params)
        tokens = 0
        while engine.has_work():
            tokens += len(engine.step())
        return tokens

    return run


def run_generate(model: Any, setting: Setting, streams: int) -> Callable[[], int]:
    """Return a run of `streams` answers one after the other by `model.generate`."""
    tokenizer = byte_tokenizer()

    @torch.inference_mode()
    def run() -> int:
        tokens = 0
        for prompt in prompts_of(setting, streams):
            ids = torch.tensor([tokenizer(prompt)["input_ids"]])
            output = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                min_new_tokens=setting.new_tokens,
                max_new_tokens=setting.new_tokens,
            )
            tokens += output.shape[1] - ids.shape[1]
        return tokens

    return run


def measure(run: Callable[[], int], repetitions: int) -> tuple[float, float]:
    """Return median tokens in a second of the clock and of the CPU, after one run to warm up."""
    run()
    by_clock, by_cpu = [], []
    for _ in range(repetitions):
        clock, cpu = time.perf_counter(), time.process_time()
        tokens = run()
        by_clock.append(tokens / (time.perf_counter() - clock))
        by_cpu.append(tokens / (time.process_time() - cpu))
    return statistics.median(by_clock), statistics.median(by_cpu)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    options = parse_options(__doc__, arguments)
    setting = QUICK if options.quick else FULL
    torch.set_num_threads(1)
    rows: list[Row] = []
    for dtype in (torch.float32,) if options.quick else (torch.float32, torch.bfloat16):
        model = random_llama(setting, dtype)
        name = str(dtype).removeprefix("torch.")
        # One after the other costs the same a token however many there are: measured with one.
        clock, peer = measure(run_generate(model, setting, 1), setting.repetitions)
        rows.append(Row("transformers generate", name, 1, clock, peer, 1.0))
        for streams in setting.streams:
            clock, cpu = measure(run_engine(model, setting, streams), setting.repetitions)
            rows.append(Row("engine", name, streams, clock, cpu, cpu / peer))
    report(
        rows,
        options,
        parameters=model.num_parameters(),
        prompt_tokens=setting.prompt_tokens,
        new_tokens=setting.new_tokens,
        torch=torch.__version__,
        transformers=transformers.__version__,
    )


if __name__ == "__main__":
    main()
