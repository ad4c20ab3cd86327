"""Which models a worker serves, and how they are loaded; torch comes in only when one is."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.bus import Bus
from inference.chat_templates.families import family_for, family_named
from inference.conf import InferenceSettings
from inference.exceptions import InvalidRequestError
from inference.worker.adapters import AdapterSpec, load_adapters, main_names
from inference.worker.engine_host import EngineHost, ModelFacts

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from inference.engine.config import EngineConfig
    from inference.engine.parallel.channel import PlanChannel
    from inference.loading.loader import LoadedModel

logger = logging.getLogger(__name__)

CPU_STEP_TOKENS = 256
STEP_TOKENS = {"cuda": 2048, "xpu": 2048, "npu": 2048, "mps": 512}
"""Tokens of one step, by kind of device: enough to keep it busy, few enough to stay smooth."""

SMALL_PARAMETERS = 100_000_000
"""Models below run best with one thread on CPU."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One model to serve.

    Attributes:
        path: local folder, or id on the hub.
        names: names it is served under, those of its adapters among them; the first one is the
            main one.
        device: where it runs; `auto` takes the best that is there.
        max_batch: answers generated at the same time.
        context_length: window in tokens; None takes the model's own.
        conv_template: family whose chat template is used instead of the model's own; None for its
            own, or the one its name tells.
        draft_model_path: folder or hub id of a smaller model that guesses ahead; None for none.
        base_model_path: where the path is an adapter's, its base; None for the one it names.
        adapters: fine-tunings that share its weights.
        load_options: how to load it, as `inference.loading.load_model` takes it.
        engine_options: fields of `inference.engine.config.EngineConfig`; None leaves its default.
    """

    path: str
    names: tuple[str, ...]
    device: str = "auto"
    max_batch: int = 16
    context_length: int | None = None
    conv_template: str | None = None
    draft_model_path: str | None = None
    base_model_path: str | None = None
    adapters: tuple[AdapterSpec, ...] = ()
    load_options: dict[str, Any] = field(default_factory=dict)
    engine_options: dict[str, Any] = field(default_factory=dict)


def default_name(path: str) -> str:
    """Return the name a model gets when nobody gives it one: the last part of its path."""
    return Path(path.rstrip("/")).name


def parse_spec(text: str, **options: Any) -> ModelSpec:
    """Read `PATH_OR_ID[,NAME]…`; without names the last part of the path is the name.

    Raises:
        InvalidRequestError: there is no path, or a name is empty.
    """
    path, *names = (part.strip() for part in text.split(","))
    if not path or not all(names):
        raise InvalidRequestError(f"{text!r} is not of the form PATH_OR_ID[,NAME]…")
    return ModelSpec(path, tuple(names) or (default_name(path),), **options)


def check_names(specs: Sequence[ModelSpec]) -> None:
    """Refuse two models under one name in the same process.

    Raises:
        InvalidRequestError: a name occurs twice.
    """
    names = [name for spec in specs for name in spec.names]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidRequestError(f"two models cannot share the name {', '.join(twice)}")


def best_device() -> str:
    """Return the first kind of accelerator that torch finds, or `cpu`."""
    from inference.loading.devices import IS_AVAILABLE

    accelerators = ("cuda", "mps", "xpu", "npu")
    return next((device for device in accelerators if IS_AVAILABLE[device]()), "cpu")


def device_of(spec: ModelSpec) -> str:
    """Return where a model runs, `auto` decided."""
    return best_device() if spec.device == "auto" else spec.device


def load_spec(spec: ModelSpec) -> "LoadedModel":
    """Load a model as its spec says.

    Raises:
        InferenceError: it cannot be loaded; the message says what to do.
    """
    from inference.loading.loader import load_model

    return load_model(
        spec.path,
        device=device_of(spec),
        context_length=spec.context_length,
        **spec.load_options,
    )


def load_draft_model(spec: ModelSpec, loaded: "LoadedModel") -> "PreTrainedModel | None":
    """Load the smaller model that guesses ahead, to where the model is; None where there is none.

    Raises:
        InferenceError: it cannot be loaded, or reads other tokens than the model.
    """
    from inference.loading.loader import load_model

    if spec.draft_model_path is None:
        return None
    dtype = spec.load_options.get("dtype")
    draft = load_model(spec.draft_model_path, device=device_of(spec), dtype=dtype)
    if draft.tokenizer.get_vocab() != loaded.tokenizer.get_vocab():
        raise InvalidRequestError(
            f"{spec.draft_model_path} cannot guess for {spec.path}: their tokenizers differ"
        )
    return draft.model


def engine_config(spec: ModelSpec, loaded: "LoadedModel") -> "EngineConfig":
    """Return how the engine of a loaded model runs.

    Raises:
        InvalidRequestError: an option is a number no engine can run with, or a draft model is
            missing or of no use.
    """
    from inference.engine.config import EngineConfig
    from inference.engine.placement import input_device

    device = input_device(loaded.model).type
    options = {
        "max_batched_tokens": max(STEP_TOKENS.get(device, CPU_STEP_TOKENS), spec.max_batch),
        "threads": 1 if loaded.model.num_parameters() < SMALL_PARAMETERS else None,
        "speculation": "draft" if spec.draft_model_path else "off",
        **{name: value for name, value in spec.engine_options.items() if value is not None},
    }
    if (options["speculation"] == "draft") != (spec.draft_model_path is not None):
        raise InvalidRequestError(
            "speculation by a draft model needs the draft model's path, and nothing else takes one"
        )
    try:
        return EngineConfig(
            name=spec.names[0],
            max_num_seqs=spec.max_batch,
            context_length=spec.context_length or loaded.context_length,
            **options,
        )
    except ValueError as error:
        raise InvalidRequestError(str(error)) from error


def host_model(
    spec: ModelSpec,
    *,
    bus: Bus,
    settings: InferenceSettings,
    on_fatal: Callable[[str], None],
    channel: "PlanChannel | None" = None,
) -> EngineHost:
    """Load a model and start its engine.

    The chat template is the one the spec asks for, else the model's own, else the one of the
    family its name tells.

    Args:
        spec: what to load.
        bus: where it answers.
        settings: the times.
        on_fatal: what happens when the engine is stuck.
        channel: reaches the other processes of a model that several share.

    Raises:
        InferenceError: the model cannot be loaded; the message says what to do.
    """
    from inference.engine.llm_engine import LLMEngine
    from inference.engine.placement import input_device
    from inference.free_memory import return_unused_memory
    from inference.worker.own_weights import kept_by_own_kernels

    template = family_named(spec.conv_template) if spec.conv_template else None
    changes: dict[str, Any] = kept_by_own_kernels(spec, device_of(spec))
    spec = replace(spec, **changes)
    loaded = load_spec(spec)
    if template is None and not loaded.tokenizer.chat_template:
        template = family_for(spec.path)
    engine = LLMEngine(
        loaded.model,
        loaded.tokenizer,
        engine_config(spec, loaded),
        template=template,
        pooling=loaded.pooling,
        adapters=load_adapters(
            spec.adapters,
            loaded.tokenizer,
            with_templates=spec.conv_template is None,
            use_modelscope=spec.load_options.get("use_modelscope", False),
        ),
        processor=loaded.processor,
        draft_model=load_draft_model(spec, loaded),
        channel=channel,
    )
    engine.warm_up()
    return_unused_memory()
    facts = ModelFacts(
        context_length=engine.context_length,
        device=str(input_device(loaded.model)),
        dtype=str(loaded.model.dtype).removeprefix("torch."),
        architecture=str(loaded.model.config.model_type),
        template="" if template is None else template.name,
        description=engine.describe(),
        takes_images=engine.takes_images,
        tool_format=engine.tool_format,
    )
    logger.info("%s on %s in %s: %s", spec.names[0], facts.device, facts.dtype, facts.description)
    return EngineHost(
        engine,
        names=spec.names,
        bus=bus,
        settings=settings,
        facts=facts,
        on_fatal=on_fatal,
        adapters=main_names(spec.adapters),
    )
