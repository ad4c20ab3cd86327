"""What can be asked of loading, checked as far as nothing but the words is needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from inference.exceptions import ModelLoadError
from inference.loading.quantized_checkpoint import QuantizedCheckpoint

Device = Literal["cpu", "cuda", "mps", "xpu", "npu"]

SPREADABLE = ("cuda", "xpu", "npu")
"""Kinds of device of which one model may take several."""

CPU_ISAS = ("avx512_bf16", "amx")
"""What FastChat's `CPU_ISA` may say."""


@dataclass(frozen=True, slots=True)
class LoadOptions:
    """How a model is loaded.

    Attributes:
        device: where it runs.
        dtype: "float32", "float16" or "bfloat16"; None chooses by device and size.
        load_8bit: store weights in 8 bits.
        load_4bit: store weights in 4 bits.
        cpu_offloading: with 8 bits, leave on the CPU what the accelerator cannot hold.
        num_gpus: spread the model by layers over so many accelerators.
        max_gpu_memory: most bytes on each of them, one number for all or one each; None takes
            85 % of what is free.
        tensor_parallel: load this process's share of every weight; the others, which
            `ranks.join_ranks` has met, load theirs at the same time.
        checkpoint: weights that were quantized beforehand, where config.json does not say so.
        enable_exllama: compute GPTQ and AWQ weights by ExLlama's kernels.
        context_length: the window that is wanted in tokens; memory for it must be there.
        revision: branch, tag or commit of the repository.
        use_modelscope: look ids up on ModelScope instead of Hugging Face.
        cpu_isa: what the CPU is known to multiply bfloat16 with; empty leaves it to torch.
        trust_remote_code: run the Python code a repository brings along.
    """

    device: str = "cpu"
    dtype: str | None = None
    load_8bit: bool = False
    load_4bit: bool = False
    cpu_offloading: bool = False
    num_gpus: int = 1
    max_gpu_memory: int | Sequence[int] | None = None
    tensor_parallel: bool = False
    checkpoint: QuantizedCheckpoint | None = None
    enable_exllama: bool = False
    context_length: int | None = None
    revision: str | None = None
    use_modelscope: bool = False
    cpu_isa: str = ""
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse what can never work.

        Raises:
            ModelLoadError: a value means nothing, or two options contradict each other.
        """
        if self.device not in get_args(Device):
            known = ", ".join(get_args(Device))
            raise ModelLoadError(f"unknown device {self.device!r}; use one of {known}")
        if self.cpu_isa and self.cpu_isa not in CPU_ISAS:
            raise ModelLoadError(
                f"CPU_ISA must be one of {', '.join(CPU_ISAS)}, not {self.cpu_isa!r}"
            )
        self._check_widths()
        self._check_places()

    @property
    def is_spread(self) -> bool:
        """Whether layers are dealt out to several places."""
        return self.num_gpus > 1 or self.cpu_offloading

    @property
    def stores_fewer_bits(self) -> bool:
        """Whether weights are to be stored in 8 or 4 bits."""
        return self.load_8bit or self.load_4bit

    def _check_widths(self) -> None:
        if self.load_8bit and self.load_4bit:
            raise ModelLoadError("choose either --load-8bit or --load-4bit")
        if self.cpu_offloading and not self.load_8bit:
            raise ModelLoadError("--cpu-offloading works with --load-8bit")
        if self.cpu_offloading and self.device not in SPREADABLE:
            raise ModelLoadError(
                f"--cpu-offloading helps an accelerator with little memory, not {self.device};"
                " leave it out"
            )
        if self.stores_fewer_bits and self.checkpoint is not None:
            raise ModelLoadError(
                f"{self.checkpoint.method.upper()} weights are quantized already; leave"
                " --load-8bit and --load-4bit out"
            )

    def _check_places(self) -> None:
        if self.num_gpus < 1:
            raise ModelLoadError(f"num_gpus must be at least 1, not {self.num_gpus}")
        if self.num_gpus > 1 and self.device not in SPREADABLE:
            raise ModelLoadError(
                f"a model can be spread over CUDA, xpu or npu devices, not over {self.device}"
            )
        if isinstance(self.max_gpu_memory, Sequence) and len(self.max_gpu_memory) != self.num_gpus:
            raise ModelLoadError(
                f"{len(self.max_gpu_memory)} sizes are given for {self.num_gpus} devices"
            )
        if self.tensor_parallel and (self.is_spread or self.stores_fewer_bits):
            raise ModelLoadError("tensor parallelism goes with neither --num-gpus nor 4 or 8 bits")
