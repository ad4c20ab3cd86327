"""Adapters come onto a model before its runner is chosen, and into the runner afterwards."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from inference.engine.config import EngineConfig
from inference.engine.decoder.fused_decoder import FusedDecoder
from inference.engine.decoder.fusing import projections_of
from inference.engine.intake import Intake
from inference.engine.lora.adapted import AdaptedProjection, ModuleHook
from inference.engine.lora.bank import AdapterBank
from inference.engine.lora.low_rank import Adapter, LowRank, join_low_ranks
from inference.engine.lora.probing import check_adapters
from inference.engine.placement import input_device, is_shared
from inference.engine.probing import PROBE_TOKENS, own_scores
from inference.engine.runner_choice import ChosenRunner
from inference.exceptions import ModelLoadError

logger = logging.getLogger(__name__)


class Adapters:
    """The adapters of a model, first on its modules, at last where its runner computes.

    On its own modules they work with any family, and show what each adapter's scores are. Where
    the runner chosen then is the fused decoder, they move into its projections.

    Args:
        model: the shared base; its weights are not changed.
        adapters: by name.
        config: of the engine.

    Raises:
        ModelLoadError: the model cannot be adapted, or an adapter was made for another one.
    """

    def __init__(
        self, model: PreTrainedModel, adapters: Mapping[str, Adapter], config: EngineConfig
    ) -> None:
        self._model = model
        self._adapters = adapters
        self._config = config
        self.bank = AdapterBank(list(adapters))
        self._modules = dict(model.named_modules())
        problem = _obstacle(model) if adapters else ""
        if problem:
            raise ModelLoadError(
                f"{config.name} {problem}, which takes no adapters while serving; put one into the"
                " weights with `manage.py merge_lora`"
            )
        self._head = model.get_output_embeddings()
        self._hooks = self._hook_modules()
        self._expected = self._own_scores()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the adapters."""
        return self.bank.names

    def settle(self, chosen: ChosenRunner) -> None:
        """Move into the runner that serves, and see that it gives every adapter's own scores.

        Raises:
            ModelLoadError: it computes something else, or takes no adapters.
        """
        if not self.names:
            return
        if not hasattr(chosen.runner, "on_chunks"):
            raise ModelLoadError(
                f"{self._config.name} runs in a way ({chosen.way}) that takes no adapters;"
                " put one into the weights with `manage.py merge_lora`"
            )
        if isinstance(chosen.forward, FusedDecoder):
            self._move_into(chosen.forward)
        chosen.runner.on_chunks = self.bank.take
        check_adapters(chosen, self._expected, self._model, self._config)
        # What is computed with lies on the device; only tokenizers are asked for again.
        self._adapters = {
            name: replace(adapter, weights={}) for name, adapter in self._adapters.items()
        }
        logger.info("%s has %d adapters", self._config.name, len(self.names))

    def intakes(
        self, bare: Intake, make: Callable[[PreTrainedTokenizerBase], Intake]
    ) -> dict[str, Intake]:
        """Return who takes in requests: for each adapter, and for the model as "".

        Args:
            bare: the model's.
            make: makes one for a tokenizer that has a chat template of its own.
        """
        own = {
            name: bare if adapter.tokenizer is None else make(adapter.tokenizer)
            for name, adapter in self._adapters.items()
        }
        return {"": bare, **own}

    def _hook_modules(self) -> dict[str, ModuleHook]:
        """Let every module that an adapter changes add the change, by name."""
        additions: dict[str, dict[str, LowRank]] = {}
        for adapter, own in self._adapters.items():
            for name, addition in own.weights.items():
                module = self._modules.get(name)
                problem = _misfit(module, addition)
                if module is None or problem:
                    raise ModelLoadError(
                        f"adapter {adapter!r} does not fit {self._config.name}: {name} {problem}"
                    )
                placed = addition.to(_device_of(module, self._model), self._model.dtype)
                additions.setdefault(name, {})[adapter] = placed
        return {
            name: ModuleHook(module, found, self.bank, is_head=module is self._head)
            for name, found in additions.items()
            for module in [self._modules[name]]
        }

    def _own_scores(self) -> dict[str, Tensor]:
        """Scores of the probes with each adapter, and bare, by the model itself."""
        if not self.names:
            return {}
        expected = {"": own_scores(self._model)}
        for adapter in self.names:
            try:
                with self.bank.wearing(adapter, count=PROBE_TOKENS):
                    expected[adapter] = own_scores(self._model)
            except NotImplementedError as error:
                raise ModelLoadError(f"adapter {adapter!r} cannot be served: {error}") from error
        unseen = sorted(name for name, hook in self._hooks.items() if not hook.was_called)
        if unseen:
            raise ModelLoadError(
                f"an adapter of {self._config.name} changes {unseen[0]}, which no text passes"
                " through; put it into the weights with `manage.py merge_lora`"
            )
        return expected

    def _move_into(self, decoder: FusedDecoder) -> None:
        """Wrap the decoder's projections and free the modules they were made of."""
        name_of = {module: name for name, module in self._modules.items()}
        for owner, attribute, linears in projections_of(self._model, decoder):
            names = [name_of[linear] for linear in linears]
            additions = self._joined(names, [linear.out_features for linear in linears])
            if additions:
                is_head = linears[0] is self._head
                bare = getattr(owner, attribute)
                adapted = AdaptedProjection(bare, additions, self.bank, is_head=is_head)
                setattr(owner, attribute, adapted)
        for hook in self._hooks.values():
            hook.remove()
        self._hooks.clear()

    def _joined(self, names: list[str], widths: list[int]) -> dict[str, LowRank]:
        """What each adapter adds to a projection made of those modules."""
        joined = {}
        for adapter, own in self._adapters.items():
            addition = join_low_ranks([own.weights.get(name) for name in names], widths)
            if addition is not None:
                joined[adapter] = addition.to(input_device(self._model), self._model.dtype)
        return joined


def _obstacle(model: PreTrainedModel) -> str:
    """Say why a model takes no adapters; nothing where it does."""
    if is_shared(model):
        return "is dealt out to several processes"
    if model.config.is_encoder_decoder:
        return "is an encoder-decoder"
    return "" if model.can_generate() else "has no head"


def _misfit(module: nn.Module | None, addition: LowRank) -> str:
    """Say why an addition does not fit a module; nothing where it does."""
    if module is None:
        return "is not there"
    if isinstance(module, nn.Embedding):
        return "is an embedding, which is not adapted while serving; use `manage.py merge_lora`"
    width, height = getattr(module, "in_features", None), getattr(module, "out_features", None)
    if width is None:
        width, height = getattr(module, "nx", None), getattr(module, "nf", None)  # GPT-2's
    if width is None:
        return f"is a {type(module).__name__}, no projection"
    if (addition.down.shape[1], addition.up.shape[0]) != (width, height):
        found = f"{addition.down.shape[1]} to {addition.up.shape[0]}"
        return f"maps {width} to {height} and the adapter {found}"
    return ""


def _device_of(module: nn.Module, model: PreTrainedModel) -> torch.device:
    """Where a module computes."""
    device = next(module.parameters()).device
    return input_device(model) if device.type == "meta" else device
