"""How models are named on the command line."""

from pathlib import Path

import pytest

from inference.bus.base import BusConfig
from inference.bus.local import LocalBus
from inference.chat_templates.families import family_named
from inference.chat_templates.rendering import render_family
from inference.conf import InferenceSettings
from inference.exceptions import InvalidRequestError
from inference.generation import GenerationRequest, SamplingParams
from inference.loading.loader import LoadedModel
from inference.messages import Message, Role
from inference.worker.model_specs import (
    check_names,
    engine_config,
    host_model,
    load_draft_model,
    parse_spec,
)
from tests.support.ports import wait_until
from tests.support.tiny_models import byte_tokenizer, save_tiny_model, tiny_llama


@pytest.mark.parametrize(
    ("text", "path", "names"),
    [
        ("models/demo", "models/demo", ("demo",)),
        ("models/demo/", "models/demo/", ("demo",)),
        ("Org/Some-Model-7B", "Org/Some-Model-7B", ("Some-Model-7B",)),
        ("models/demo, a ,b", "models/demo", ("a", "b")),
    ],
)
def test_a_model_is_named_by_hand_or_after_its_folder(
    text: str, path: str, names: tuple[str, ...]
) -> None:
    spec = parse_spec(text, max_batch=3)

    assert (spec.path, spec.names, spec.max_batch) == (path, names, 3)


@pytest.mark.parametrize("text", ["", ",name", "path,", "path,,b"])
def test_an_empty_path_or_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_spec(text)


def test_two_models_cannot_share_a_name() -> None:
    with pytest.raises(InvalidRequestError, match="demo"):
        check_names([parse_spec("a/demo"), parse_spec("b,demo")])


@pytest.fixture
def loaded() -> LoadedModel:
    return LoadedModel(tiny_llama(), byte_tokenizer(), 512)


def test_an_engine_takes_what_suits_the_model_and_its_device(loaded: LoadedModel) -> None:
    config = engine_config(parse_spec("some/model", max_batch=300), loaded)

    assert (config.max_num_seqs, config.max_batched_tokens) == (300, 300)
    assert (config.threads, config.context_length) == (1, 512)


def test_options_of_the_engine_come_first(loaded: LoadedModel) -> None:
    options = {"threads": 3, "prefix_cache": False, "max_batched_tokens": None}

    config = engine_config(parse_spec("some/model", engine_options=options), loaded)

    assert (config.threads, config.prefix_cache, config.max_batched_tokens) == (3, False, 256)


def test_numbers_no_engine_can_run_with_are_refused(loaded: LoadedModel) -> None:
    spec = parse_spec("some/model", max_batch=16, engine_options={"max_batched_tokens": 8})

    with pytest.raises(InvalidRequestError, match="max_batched_tokens"):
        engine_config(spec, loaded)


def test_a_draft_model_is_used_where_one_is_given(loaded: LoadedModel, tmp_path: Path) -> None:
    folder = str(save_tiny_model(tmp_path / "small", seed=1))
    spec = parse_spec("some/model", device="cpu", draft_model_path=folder)

    draft_model = load_draft_model(spec, loaded)

    assert engine_config(spec, loaded).speculation == "draft"
    assert draft_model is not None
    assert draft_model.num_parameters() == loaded.model.num_parameters()


def test_a_worker_answers_the_same_with_a_draft_model(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "large")
    small = str(save_tiny_model(tmp_path / "small", seed=1))
    texts = []
    for draft_model_path in (None, small):
        bus = LocalBus(BusConfig())
        request = GenerationRequest(
            "large", (Message(Role.USER, "Hi"),), SamplingParams(temperature=0, max_tokens=12)
        )
        spec = parse_spec(str(folder), device="cpu", draft_model_path=draft_model_path)
        host = host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
        try:
            bus.submit(request, inbox="test", capacity=1, retry_after_s=1)
            host.answer(request.request_id, 0)
            log = bus.attach(request.request_id, "test").log
        finally:
            host.close()
            bus.close()
        texts.append("".join(piece for event in log for piece in event.pieces))

    assert texts[0] == texts[1] != ""


def test_a_draft_model_of_other_tokens_is_refused(loaded: LoadedModel, tmp_path: Path) -> None:
    folder = str(save_tiny_model(tmp_path / "small"))
    loaded.tokenizer.add_tokens(["another"])
    spec = parse_spec("some/model", device="cpu", draft_model_path=folder)

    with pytest.raises(InvalidRequestError, match="their tokenizers differ"):
        load_draft_model(spec, loaded)


@pytest.mark.parametrize(
    ("speculation", "path"), [("draft", None), ("off", "small"), ("prompt_lookup", "small")]
)
def test_a_draft_model_without_use_and_a_use_without_one_are_refused(
    loaded: LoadedModel, speculation: str, path: str | None
) -> None:
    options = {"speculation": speculation}
    spec = parse_spec("some/model", draft_model_path=path, engine_options=options)

    with pytest.raises(InvalidRequestError, match="draft model"):
        engine_config(spec, loaded)


def test_a_model_without_a_chat_template_gets_that_of_its_family(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "vicuna-7b-v1.5", chat_template=None)
    bus = LocalBus(BusConfig())
    request = GenerationRequest(
        "vicuna", (Message(Role.USER, "Hi"),), SamplingParams(temperature=0, max_tokens=2)
    )
    spec = parse_spec(f"{folder},vicuna", device="cpu")

    host = host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    try:
        bus.submit(request, inbox="test", capacity=1, retry_after_s=1)
        host.answer(request.request_id, 0)
        end = bus.attach(request.request_id, "test").log[-1]
        wait_until(
            lambda: bus.workers()[0].tally.generated_tokens == 2, what="the heartbeat counts tokens"
        )
    finally:
        host.close()
        bus.close()

    prompt = render_family(family_named("vicuna_v1.1"), [Message(Role.USER, "Hi")])
    assert end.usage is not None
    assert end.usage.prompt_tokens == len(prompt.encode())  # the tokenizer has a token a byte


def test_a_chat_template_may_be_asked_for_by_name(tmp_path: Path) -> None:
    folder = save_tiny_model(tmp_path / "model")
    spec = parse_spec(str(folder), device="cpu", conv_template="vicuna_v1.1")
    bus = LocalBus(BusConfig())

    host = host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    try:
        text = host.prompt_text([Message(Role.USER, "Hi")])
    finally:
        host.close()
        bus.close()

    assert host.facts.template == "vicuna_v1.1"
    assert text.endswith("USER: Hi ASSISTANT:")


def test_an_unknown_chat_template_is_refused_before_a_weight_is_read(tmp_path: Path) -> None:
    spec = parse_spec(str(tmp_path / "gone"), conv_template="nonesuch")
    bus = LocalBus(BusConfig())

    with pytest.raises(InvalidRequestError, match="no chat template 'nonesuch'"):
        host_model(spec, bus=bus, settings=InferenceSettings(), on_fatal=pytest.fail)
    bus.close()
