import copy
from collections import Counter

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.speculation import speculator
from inference.engine.speculation.acceptance import draw_from
from inference.generation import FinishReason, SamplingParams
from tests.support.architectures import REUSING, model_of
from tests.support.distributions import misfit
from tests.support.engine_runs import (
    GREEDY,
    answer_together,
    drain,
    naive_greedy,
    prompt_ids,
    said,
    text_of,
    tokens_of,
)
from tests.support.speculation_models import unsure_copy

SPECULATIONS = ["prompt_lookup", "draft"]
PROMPTS = [
    "Hello!",
    "Copy this twice: the sea, the sky, the sea, the sky, the sea, the sky, the sea",
    "x",
    "红的红的红的红的",
    "one two one two one two one two",
]


@pytest.fixture
def make_engine(tiny_model, tokenizer):
    """Make an engine that speculates; keywords go to its configuration."""

    def make(speculation, *, model=None, noise=0.05, **settings):
        model = model or tiny_model
        config = EngineConfig(
            **{"name": "tiny", "threads": 1, "speculation": speculation, **settings}
        )
        draft_model = unsure_copy(model, noise=noise) if speculation == "draft" else None
        return LLMEngine(copy.deepcopy(model), tokenizer, config, draft_model=draft_model)

    return make


@pytest.mark.parametrize("speculation", SPECULATIONS)
@pytest.mark.parametrize("name", REUSING)
def test_greedy_answers_are_those_of_the_model_alone(make_engine, tokenizer, name, speculation):
    model = model_of(name)
    own = [naive_greedy(copy.deepcopy(model), tokenizer, prompt) for prompt in PROMPTS]
    engine = make_engine(speculation, model=model, max_num_seqs=4, context_length=256)

    answers = answer_together(engine, PROMPTS)

    assert answers == own
    stats = engine.stats()
    assert 0 < stats.accepted_tokens < stats.drafted_tokens


@pytest.mark.parametrize("speculation", SPECULATIONS)
@pytest.mark.parametrize(
    "settings",
    [
        {"max_batched_tokens": 8, "max_num_seqs": 3},
        {"context_length": 256, "kv_cache_tokens": 288, "prefix_cache": False},
        {"context_length": 256, "kv_cache_tokens": 320, "block_size": 4},
        {"draft_tokens": 1},
        {"draft_tokens": 9},
    ],
)
def test_nothing_the_engine_does_besides_changes_an_answer(
    make_engine, tiny_model, tokenizer, settings, speculation
):
    params = SamplingParams(temperature=0.0, max_tokens=60, ignore_eos=True)
    engine = make_engine(speculation, **settings)

    first = answer_together(engine, PROMPTS, params)
    again = answer_together(engine, PROMPTS, params)  # finds its prompts in the cache

    own = [naive_greedy(tiny_model, tokenizer, prompt, 60) for prompt in PROMPTS]
    assert first == again == own
    stats = engine.stats()
    assert stats.accepted_tokens > 0
    assert stats.used_blocks == 0
    if settings.get("kv_cache_tokens") == 288:
        assert stats.preemptions > 0


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_what_a_draft_left_in_the_cache_misleads_nobody_later(
    make_engine, tiny_model, tokenizer, speculation
):
    engine = make_engine(speculation, block_size=4, draft_tokens=6)
    prompt = PROMPTS[1]
    answer = answer_together(engine, [prompt], GREEDY)[0]
    continued = [*prompt_ids(tokenizer, prompt), *answer]
    engine.submit("next", prompt_token_ids=continued, params=GREEDY)

    outputs = drain(engine)["next"]

    with torch.inference_mode():
        own = tiny_model.generate(
            torch.tensor([continued]), max_new_tokens=24, do_sample=False, eos_token_id=None
        )
    assert outputs[-1].usage.cached_tokens > len(prompt_ids(tokenizer, prompt))
    assert tokens_of(outputs) == own[0, len(continued) :].tolist()


def test_a_draft_model_equal_to_the_model_is_always_right(make_engine):
    engine = make_engine("draft", noise=0.0)

    answer_together(engine, PROMPTS, SamplingParams(temperature=0.0, max_tokens=26))

    stats = engine.stats()
    assert stats.drafted_tokens == stats.accepted_tokens > 0
    # The first token comes with the prompt, then five a step.
    assert stats.steps <= 1 + 26 // 5 + 1


@pytest.mark.parametrize("speculation", SPECULATIONS)
@pytest.mark.parametrize("max_tokens", [1, 2, 3, 7])
def test_an_answer_ends_at_its_limit_to_the_token(make_engine, speculation, max_tokens):
    engine = make_engine(speculation, noise=0.0)
    params = SamplingParams(temperature=0.0, max_tokens=max_tokens, ignore_eos=True)

    engine.submit("a", messages=said(PROMPTS[1]), params=params)
    outputs = drain(engine)["a"]

    assert len(outputs) == outputs[-1].usage.completion_tokens == max_tokens
    assert outputs[-1].finish_reason is FinishReason.LENGTH


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_an_answer_ends_at_the_windows_end(make_engine, tiny_model, tokenizer, speculation):
    engine = make_engine(speculation, noise=0.0, context_length=128)
    prompt = PROMPTS[1]
    engine.submit("a", messages=said(prompt), params=SamplingParams(temperature=0, ignore_eos=True))

    tokens = tokens_of(drain(engine)["a"])

    room = 128 - len(prompt_ids(tokenizer, prompt))
    assert tokens == naive_greedy(tiny_model, tokenizer, prompt, room)


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_a_stop_string_inside_an_accepted_draft_drops_the_rest(make_engine, speculation):
    params = SamplingParams(temperature=0.0, max_tokens=40, ignore_eos=True)
    plain = make_engine("off")
    plain.submit("a", messages=said(PROMPTS[4]), params=params)
    text = text_of(drain(plain)["a"])
    stop = next(text[at : at + 3] for at in range(6, 30) if text[at : at + 3].isascii())
    params = SamplingParams(temperature=0.0, max_tokens=40, ignore_eos=True, stop=(stop,))
    outputs = {}

    for kind, engine in {"off": plain, speculation: make_engine(speculation, noise=0.0)}.items():
        engine.submit("b", messages=said(PROMPTS[4]), params=params)
        outputs[kind] = drain(engine)["b"]

    assert text_of(outputs[speculation]) == text[: text.index(stop)]
    assert outputs[speculation][-1].finish_reason is FinishReason.STOP
    assert tokens_of(outputs[speculation]) == tokens_of(outputs["off"])
    assert outputs[speculation][-1].usage.completion_tokens == len(outputs["off"])


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_cancelling_in_the_middle_leaves_nothing_behind(make_engine, speculation):
    engine = make_engine(speculation, noise=0.0)
    for number, prompt in enumerate(PROMPTS):
        engine.submit(str(number), messages=said(prompt), params=GREEDY)
    for _ in range(3):
        engine.step()

    for number in range(len(PROMPTS)):
        engine.cancel(str(number))
    outputs = drain(engine)

    assert {out[-1].finish_reason for out in outputs.values()} == {FinishReason.CANCELLED}
    assert engine.stats().used_blocks == 0
    speculator = engine._speculator
    assert speculator._paces == {}
    assert speculator._drafts == {}
    if speculation == "draft":
        assert speculator._proposer._blocks.used_blocks == 0
    else:
        assert speculator._proposer._indexes == {}


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_a_seed_gives_the_same_answer_with_and_without(make_engine, speculation):
    sampled = [
        SamplingParams(temperature=0.6, seed=seed, max_tokens=30, ignore_eos=True, **more)
        for seed, more in enumerate(
            [{}, {"top_p": 0.8}, {"top_k": 4}, {"presence_penalty": 0.5}, {"logprobs": 2}]
        )
    ]
    answers = {}
    for kind in ("off", speculation):
        engine = make_engine(kind)
        for number, (prompt, params) in enumerate(zip(PROMPTS, sampled, strict=True)):
            engine.submit(str(number), messages=said(prompt), params=params)
        answers[kind] = {key: tokens_of(out) for key, out in drain(engine).items()}

    assert answers[speculation] == answers["off"]


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_several_answers_from_one_prompt_are_the_same_with_and_without(make_engine, speculation):
    params = SamplingParams(
        temperature=0.4, seed=3, n=3, max_tokens=20, ignore_eos=True, prompt_logprobs=1, logprobs=1
    )
    prompt = [70, 80, 90, 70, 80, 90, 70, 80, 90]  # its last token makes a chunk of its own
    found = {}
    for kind in ("off", speculation):
        engine = make_engine(kind, max_batched_tokens=8, max_num_seqs=4)
        engine.submit("a", prompt_token_ids=prompt, params=params)
        outputs = drain(engine)["a"]
        found[kind] = [tokens_of([o for o in outputs if o.choice == choice]) for choice in range(3)]

    assert [len(tokens) for tokens in found["off"]] == [20, 20, 20]
    assert found[speculation] == found["off"]


SAMPLED = SamplingParams(temperature=1.5, top_k=3, max_tokens=4, ignore_eos=True)
PROMPT = [70, 80, 90, 80, 70]


@pytest.fixture
def circling_model(tiny_model):
    """A model that looks at little but the last token, so that its texts go round in circles."""
    model = copy.deepcopy(tiny_model)
    with torch.no_grad():
        for parameter in model.model.layers.parameters():
            if parameter.dim() == 2:
                parameter *= 0.3
    return model


@pytest.mark.parametrize("noise", [0.03, 0.15])
def test_sampled_answers_with_a_draft_model_follow_the_exact_distribution(
    make_engine, tiny_model, noise
):
    engine = make_engine("draft", noise=noise, draft_tokens=2, max_num_seqs=32)

    answers = sampled_answers(engine, PROMPT)

    stats = engine.stats()
    assert 0.1 < stats.accepted_tokens / stats.drafted_tokens < 0.95
    assert min(misfits(tiny_model, PROMPT, answers)) > 0.0005


def test_sampled_answers_with_prompt_lookup_follow_the_exact_distribution(
    make_engine, circling_model
):
    prompt = circle(circling_model)
    engine = make_engine("prompt_lookup", model=circling_model, draft_tokens=2, max_num_seqs=32)

    answers = sampled_answers(engine, prompt)

    stats = engine.stats()
    assert 0.1 < stats.accepted_tokens / stats.drafted_tokens < 0.95
    assert min(misfits(circling_model, prompt, answers)) > 0.0005


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_the_check_notices_an_engine_that_believes_its_drafts(
    make_engine, circling_model, monkeypatch, speculation
):
    def believe(target, drafts, draws):
        ends = torch.tensor([len(draft.tokens) + 1 for draft in drafts]).cumsum(0) - 1
        last = draw_from(target[ends], [own[-1] for own in draws])
        return [[*draft.tokens, token] for draft, token in zip(drafts, last, strict=True)]

    monkeypatch.setattr(speculator, "accept_drawn", believe)
    monkeypatch.setattr(speculator, "keep_equal", lambda draft, chosen: chosen)
    prompt = circle(circling_model)
    engine = make_engine(speculation, model=circling_model, noise=0.1, draft_tokens=2)

    answers = sampled_answers(engine, prompt, count=800)

    assert min(misfits(circling_model, prompt, answers)) < 1e-9


def following(model, tokens):
    """The tokens that may come next, and how likely each is, as the parameters cut them."""
    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([tokens])).logits[0, -1].double()
    top = logits.topk(SAMPLED.top_k)
    weights = (top.values / SAMPLED.temperature).softmax(-1)
    return list(zip(top.indices.tolist(), weights.tolist(), strict=True))


def exact_continuations(model, tokens, length):
    """Probabilities of all runs of so many tokens."""
    if not length:
        return {(): 1.0}
    return {
        (first, *rest): mass * share
        for first, mass in following(model, tokens)
        for rest, share in exact_continuations(model, [*tokens, first], length - 1).items()
    }


def circle(model):
    """A prompt the model has gone on with until it goes round."""
    with torch.inference_mode():
        tokens = model.generate(
            torch.tensor([PROMPT]), max_new_tokens=60, do_sample=False, eos_token_id=None
        )
    return tokens[0].tolist()


def sampled_answers(engine, prompt, *, count=1_200):
    answers = []
    for first in range(0, count, 200):
        for number in range(first, first + 200):
            engine.submit(str(number), prompt_token_ids=prompt, params=SAMPLED)
        answers += [tokens_of(outputs) for outputs in drain(engine).values()]
    return answers


def misfits(model, prompt, answers):
    """For each first token, how well the three after it, which may be drafted, fit the model."""
    by_first = {}
    for first, *rest in answers:
        by_first.setdefault(first, Counter())[tuple(rest)] += 1
    return [
        misfit(seen, exact_continuations(model, [*prompt, first], 3))
        for first, seen in by_first.items()
        if seen.total() >= 200
    ]


@pytest.mark.parametrize("speculation", SPECULATIONS)
def test_a_model_whose_memory_cannot_be_cut_back_runs_without(make_engine, tokenizer, speculation):
    model = model_of("bloom")
    own = [naive_greedy(copy.deepcopy(model), tokenizer, prompt) for prompt in PROMPTS[:2]]
    engine = make_engine(speculation, model=model, max_num_seqs=4, context_length=256)

    assert answer_together(engine, PROMPTS[:2]) == own
    assert engine.stats().drafted_tokens == 0


@pytest.mark.parametrize(("speculation", "has_draft_model"), [("draft", False), ("off", True)])
def test_a_draft_model_and_its_use_belong_together(
    tiny_model, tokenizer, speculation, has_draft_model
):
    config = EngineConfig(speculation=speculation)
    draft_model = copy.deepcopy(tiny_model) if has_draft_model else None

    with pytest.raises(ValueError, match="draft model"):
        LLMEngine(copy.deepcopy(tiny_model), tokenizer, config, draft_model=draft_model)
