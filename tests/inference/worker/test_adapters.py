"""Adapters served by name: several of one base in one worker, which holds the base once."""

import asyncio
import gc
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from inference.client import complete_reply, embed, live_models
from inference.exceptions import InvalidRequestError, ModelLoadError
from inference.generation import GenerationRequest, SamplingParams
from inference.in_process import ModelSpec, hold_model
from inference.messages import Message, Role
from inference.requests import EmbeddingRequest
from inference.worker.adapters import AdapterSpec, parse_adapter
from inference.worker.hosts import all_hosts
from inference.worker.shared_bases import share_bases, with_adapters
from tests.support.engine_runs import naive_greedy
from tests.support.lora_adapters import EVERY_PROJECTION, save_adapter
from tests.support.tiny_models import byte_tokenizer, save_tiny_model, tiny_llama

QUESTION = "Who are you?"
PARAMS = SamplingParams(temperature=0, max_tokens=12, ignore_eos=True)
OTHER_TEMPLATE = "{% for message in messages %}[{{ message.content }}]{% endfor %}"


SPEAKERS = {"poet": {"seed": 1}, "clerk": {"seed": 2, "modules": EVERY_PROJECTION}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a base and two adapters of it, and what peft has in memory of them."""
    folder = tmp_path_factory.mktemp("models")
    base = save_tiny_model(folder / "base")
    adapted = {
        name: save_adapter(folder / name, tiny_llama(), base=base, **options)
        for name, options in SPEAKERS.items()
    }
    return folder, adapted


@pytest.fixture(scope="module")
def models(saved) -> Path:
    return saved[0]


@pytest.fixture(scope="module")
def truth(saved) -> dict[str, str]:
    """What peft and the bare model say."""
    tokenizer = byte_tokenizer()
    return {
        name: tokenizer.decode(naive_greedy(model, tokenizer, QUESTION, 12))
        for name, model in {"base": tiny_llama(), **saved[1]}.items()
    }


async def ask_all(*names: str) -> dict[str, str]:
    """Ask models at the same time."""
    messages = (Message(Role.USER, QUESTION),)
    replies = await asyncio.gather(
        *(complete_reply(GenerationRequest(name, messages, PARAMS)) for name in names)
    )
    return {name: reply.text for name, reply in zip(names, replies, strict=True)}


def copies_of(shape: tuple[int, ...]) -> int:
    """How many tensors of a shape are in memory, each memory counted once."""
    gc.collect()
    found = [one for one in gc.get_objects() if type(one) in (torch.Tensor, nn.Parameter)]
    # Packed weights have no address to be asked for.
    return len({id(o) if o.is_mkldnn else o.data_ptr() for o in found if o.shape == shape})


def test_adapters_of_one_base_are_one_model_with_one_copy_of_it(models, truth):
    asked = [ModelSpec(str(models / name), (name, f"{name}-2")) for name in ("poet", "clerk")]
    asked.append(ModelSpec(str(models / "base"), ("base",)))
    before = copies_of((260, 64))

    (spec,) = share_bases(asked)
    with hold_model(spec, say=str):
        names = asyncio.run(live_models())
        answers = asyncio.run(ask_all("poet", "clerk", "base", "poet-2"))
        hosts, copies = len(all_hosts()), copies_of((260, 64))

    assert names == {"poet", "poet-2", "clerk", "clerk-2", "base"}
    assert answers == truth | {"poet-2": truth["poet"]}
    assert len(set(truth.values())) == 3
    assert hosts == 1
    assert copies - before == 2  # the embedding and the head, once each


def test_vectors_are_asked_of_an_adapter_by_its_name(models):
    (spec,) = share_bases([ModelSpec(str(models / name), (name,)) for name in ("poet", "base")])

    with hold_model(spec, say=str):
        poet, base = (
            asyncio.run(embed(EmbeddingRequest(name, (QUESTION,)))).vectors
            for name in ("poet", "base")
        )

    assert poet.shape == base.shape == (1, 64)
    assert not np.allclose(poet, base, atol=1e-3)


def test_an_adapters_folder_is_a_model_by_itself(models, truth):
    with hold_model(ModelSpec(str(models / "poet"), ("poet",)), say=str):
        names = asyncio.run(live_models())
        answers = asyncio.run(ask_all("poet"))

    assert names == {"poet"}  # the base was not asked for
    assert answers["poet"] == truth["poet"]


def test_named_adapters_stand_beside_their_base(models, truth):
    bases = [ModelSpec(str(models / "base"), ("base",))]

    (spec,) = with_adapters(bases, [parse_adapter(f"rhymer={models / 'poet'}")])
    with hold_model(spec, say=str):
        answers = asyncio.run(ask_all("base", "rhymer"))

    assert answers == {"base": truth["base"], "rhymer": truth["poet"]}


def test_an_adapter_writes_conversations_as_it_was_taught(models, tmp_path):
    save_adapter(tmp_path / "own", tiny_llama(), base=models / "base")
    byte_tokenizer(chat_template=OTHER_TEMPLATE).save_pretrained(tmp_path / "own")
    question = [Message(Role.USER, "hi")]

    with hold_model(ModelSpec(str(tmp_path / "own"), ("own",)), say=str) as model:
        own = model.prompt_text(question)
    spec = ModelSpec(str(tmp_path / "own"), ("own",), conv_template="vicuna_v1.1")
    with hold_model(spec, say=str) as model:
        asked_for = model.prompt_text(question)

    assert own == "[hi]"
    assert asked_for.endswith("USER: hi ASSISTANT:")


def test_a_tokenizer_of_another_model_is_refused(models, tmp_path):
    save_adapter(tmp_path / "own", tiny_llama(), base=models / "base")
    tokenizer = byte_tokenizer(chat_template=OTHER_TEMPLATE)
    tokenizer.save_pretrained(tmp_path / "own")
    path = tmp_path / "own" / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = content["model"]["vocab"]
    vocabulary["A"], vocabulary["B"] = vocabulary["B"], vocabulary["A"]
    path.write_text(json.dumps(content))

    with (
        pytest.raises(ModelLoadError, match="numbers tokens otherwise"),
        hold_model(ModelSpec(str(tmp_path / "own"), ("own",)), say=str),
    ):
        pass


def test_bases_are_told_apart(models, tmp_path):
    save_tiny_model(tmp_path / "other")
    asked = [
        ModelSpec(str(models / "poet"), ("poet",)),
        ModelSpec(str(models / "clerk"), ("clerk",), base_model_path=str(tmp_path / "other")),
        ModelSpec(f"{models}/base/../base", ("base",)),
        ModelSpec(str(tmp_path / "other"), ("other",)),
    ]

    first, second = share_bases(asked)

    assert (first.path, first.names) == (str(models / "base"), ("poet", "base"))
    assert (second.path, second.names) == (str(tmp_path / "other"), ("clerk", "other"))
    assert second.adapters == (AdapterSpec(str(models / "clerk"), ("clerk",)),)


def test_a_model_given_twice_is_loaded_twice(models):
    asked = [ModelSpec(str(models / "base"), (name,)) for name in "ab"]

    assert share_bases(asked) == asked


def test_of_several_models_an_adapter_finds_its_base(models, tmp_path):
    save_tiny_model(tmp_path / "other")
    asked = [ModelSpec(str(path), (path.name,)) for path in (tmp_path / "other", models / "base")]
    adapter = AdapterSpec(str(models / "poet"), ("poet",))

    other, base = with_adapters(asked, [adapter])

    assert other == asked[0]
    assert (base.names, base.adapters) == (("base", "poet"), (adapter,))
    with pytest.raises(InvalidRequestError, match="none of the models is the base of adapter"):
        with_adapters([asked[0], asked[0]], [adapter])


def test_an_adapter_that_names_no_base_needs_one(models, tmp_path):
    save_adapter(tmp_path / "stray", tiny_llama())

    with pytest.raises(ModelLoadError, match="does not name its base; give --base-model-path"):
        share_bases([ModelSpec(str(tmp_path / "stray"), ("stray",))])


@pytest.mark.parametrize("text", ["poet", "=poet", "poet=", ""])
def test_an_adapter_needs_a_name_and_a_path(text):
    with pytest.raises(InvalidRequestError, match="NAME=PATH_OR_ID"):
        parse_adapter(text)


def test_too_many_adapters_are_refused(models):
    bases = [ModelSpec(str(models / "base"), ("base",))]
    many = [AdapterSpec(str(models / "poet"), (f"poet-{number}",)) for number in range(257)]

    with pytest.raises(InvalidRequestError, match="at most 256 adapters"):
        with_adapters(bases, many)
