import copy

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.exceptions import ContextLengthExceededError, InvalidRequestError, ModelLoadError
from inference.generation import FinishReason, SamplingParams
from tests.support.encoder_decoders import ENCODER_DECODERS, own_answer, random_encoder_decoder
from tests.support.engine_runs import drain, text_of, tokens_of

TOKENS = 16
GREEDY = SamplingParams(temperature=0.0, max_tokens=TOKENS, ignore_eos=True)
PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]


@pytest.fixture(scope="module")
def t5():
    return random_encoder_decoder("t5 (gated)")


@pytest.fixture
def make_t5(t5, tokenizer):
    """Make an engine over a copy of a random T5; keywords go to its configuration."""

    def make(**settings):
        return engine_over(copy.deepcopy(t5), tokenizer, **settings)

    return make


def engine_over(model, tokenizer, **settings):
    settings = {"name": "t5", "max_num_seqs": 4, "context_length": 100, "threads": 1, **settings}
    return LLMEngine(model, tokenizer, EngineConfig(**settings))


def ids_of(tokenizer, prompt):
    return list(tokenizer(prompt)["input_ids"])


def answers_as_they_come(engine, prompts, params=GREEDY):
    """Answers to prompts of which each comes a few steps after the one before."""
    outputs = {}
    for number, prompt in enumerate(prompts):
        engine.submit(str(number), prompt=prompt, params=params)
        for _ in range(3):
            for output in engine.step():
                outputs.setdefault(output.request_id, []).append(output)
    for request_id, rest in drain(engine).items():
        outputs.setdefault(request_id, []).extend(rest)
    return [outputs[str(number)] for number in range(len(prompts))]


def ask(engine, prompt="Hello!", **params):
    engine.submit("a", prompt=prompt, params=SamplingParams(**params))
    return drain(engine)["a"]


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_answers_in_company_are_those_of_the_model_alone(name, tokenizer):
    model = random_encoder_decoder(name)
    own = [own_answer(copy.deepcopy(model), ids_of(tokenizer, prompt)) for prompt in PROMPTS]
    engine = engine_over(model, tokenizer, max_batched_tokens=16)

    in_company = answers_as_they_come(engine, PROMPTS)
    engine.submit("alone", prompt=PROMPTS[1], params=GREEDY)
    alone = drain(engine)["alone"]

    assert engine.describe().startswith(f"{ENCODER_DECODERS[name].way} runner")
    assert [tokens_of(outputs) for outputs in in_company] == own
    assert tokens_of(alone) == own[1]
    assert len({tuple(answer) for answer in own}) > 1
    assert engine._runner.held_sequences == 0


def test_a_prompt_longer_than_a_step_is_read_in_one_piece(make_t5, t5, tokenizer):
    engine = make_t5(max_batched_tokens=8)
    prompt = "Tell me about the sea. " * 4

    outputs = ask(engine, prompt, temperature=0.0, max_tokens=TOKENS, ignore_eos=True)

    assert tokens_of(outputs) == own_answer(t5, ids_of(tokenizer, prompt))
    assert outputs[-1].usage.prompt_tokens == len(ids_of(tokenizer, prompt))
    assert outputs[-1].usage.completion_tokens == TOKENS


def test_an_answer_that_gave_way_is_read_again_with_its_prompt(make_t5, t5, tokenizer):
    engine = make_t5(context_length=32, kv_cache_tokens=64, block_size=4)

    answers = answers_as_they_come(engine, ["Hello! Who are you?"] * 3)

    assert engine.stats().preemptions > 0
    own = own_answer(t5, ids_of(tokenizer, "Hello! Who are you?"))
    assert [tokens_of(outputs) for outputs in answers] == [own] * 3


def test_text_comes_piece_by_piece_and_stops_where_asked(make_t5):
    free = ask(make_t5(), temperature=0.0, max_tokens=TOKENS, ignore_eos=True)
    stop = text_of(free)[4:6]

    stopped = ask(make_t5(), temperature=0.0, max_tokens=TOKENS, ignore_eos=True, stop=(stop,))

    assert len(free) == TOKENS
    assert text_of(stopped) == text_of(free).split(stop)[0]
    assert stopped[-1].finish_reason is FinishReason.STOP


def test_log_probabilities_are_the_models_own(make_t5, t5, tokenizer):
    first = ask(make_t5(), temperature=0.0, max_tokens=2, ignore_eos=True, logprobs=3)[0]

    with torch.inference_mode():
        own = t5(
            input_ids=torch.tensor([ids_of(tokenizer, "Hello!")]),
            decoder_input_ids=torch.tensor([[0]]),
        ).logits[0, -1]
    expected = own.log_softmax(-1)
    assert first.logprobs.logprob == pytest.approx(float(expected[first.token]), abs=1e-4)
    assert len(first.logprobs.top) == 3


def test_the_same_seed_draws_the_same_answers_to_one_question(make_t5):
    sampled = {"temperature": 1.0, "seed": 7, "n": 2, "max_tokens": 8, "ignore_eos": True}

    first, again = ask(make_t5(), **sampled), ask(make_t5(), **sampled)

    answers = [[one.token for one in first if one.choice == choice] for choice in (0, 1)]
    assert [one.token for one in first] == [one.token for one in again]
    assert answers[0] != answers[1]


def test_the_echoed_prompt_stands_in_front_of_the_answer(make_t5):
    plain = ask(make_t5(), temperature=0.0, max_tokens=4, ignore_eos=True)

    echoed = ask(make_t5(), temperature=0.0, max_tokens=4, ignore_eos=True, echo=True)

    assert text_of(echoed) == "Hello!" + text_of(plain)


def test_an_answer_that_must_end_with_a_sentence_takes_no_end_before(make_t5, t5, tokenizer):
    engine = make_t5()
    end = own_answer(t5, ids_of(tokenizer, "Hello!"))[0]

    outputs = ask(engine, temperature=0.0, max_tokens=6, stop_token_ids=(end,), judge_sent_end=True)

    assert outputs[0].token != end
    assert outputs[-1].finish_reason is not None


def test_scores_of_a_prompt_are_refused(make_t5):
    with pytest.raises(InvalidRequestError, match="does not score it") as refusal:
        make_t5().submit("a", prompt="Hello!", params=SamplingParams(prompt_logprobs=1))

    assert refusal.value.param == "prompt_logprobs"


def test_a_cancelled_answer_leaves_nothing_behind(make_t5, t5, tokenizer):
    engine = make_t5()
    engine.submit("gone", prompt="Hello!", params=GREEDY)
    engine.submit("stays", prompt="x", params=GREEDY)
    began = [output for _ in range(4) for output in engine.step()]

    engine.cancel("gone")
    outputs = drain(engine)

    assert outputs["gone"][-1].finish_reason is FinishReason.CANCELLED
    whole = [one for one in began if one.request_id == "stays"] + outputs["stays"]
    assert tokens_of(whole) == own_answer(t5, ids_of(tokenizer, "x"))
    assert engine._runner.held_sequences == 0
    assert engine.stats().used_blocks == 0


def test_the_prompt_may_fill_the_encoders_window_and_no_more(make_t5, tokenizer):
    engine = make_t5(context_length=24)
    room = 24 - len(ids_of(tokenizer, ""))

    outputs = ask(engine, "a" * room, temperature=0.0, ignore_eos=True)

    assert outputs[-1].usage.completion_tokens == 24  # the decoder's window is its own
    with pytest.raises(ContextLengthExceededError, match="25 tokens, the model takes 24"):
        engine.submit("b", prompt="a" * (room + 1))


def test_a_prompt_that_is_cut_keeps_its_last_window(make_t5, t5, tokenizer):
    engine = make_t5(context_length=24)
    prompt = "".join(chr(ord("a") + number % 26) for number in range(60))

    outputs = ask(
        engine, prompt, temperature=0.0, max_tokens=8, ignore_eos=True, truncate_prompt="left"
    )

    assert tokens_of(outputs) == own_answer(t5, ids_of(tokenizer, prompt)[-24:], 8)


def test_an_answer_ends_with_the_table_of_the_decoders_positions(tokenizer):
    engine = engine_over(random_encoder_decoder("bart"), tokenizer)

    outputs = ask(engine, temperature=0.0, ignore_eos=True)

    assert outputs[-1].usage.completion_tokens == 127  # of 128, behind what opens the answer
    assert outputs[-1].finish_reason is FinishReason.LENGTH


def test_a_forced_first_token_opens_the_answer(tokenizer):
    model = random_encoder_decoder("bart")
    model.generation_config.forced_bos_token_id = 2
    own = own_answer(copy.deepcopy(model), ids_of(tokenizer, "Hello!"), TOKENS + 1)

    outputs = ask(
        engine_over(model, tokenizer), temperature=0.0, max_tokens=TOKENS, ignore_eos=True
    )

    assert own[0] == 2
    assert tokens_of(outputs) == own[1:]


def test_a_model_that_names_no_start_is_refused(tokenizer):
    model = random_encoder_decoder("t5")
    for config in (model.config, model.generation_config):
        config.decoder_start_token_id = config.bos_token_id = None

    with pytest.raises(ModelLoadError, match="decoder_start_token_id"):
        engine_over(model, tokenizer)


def test_texts_become_vectors_of_the_encoder_beside_answers(make_t5, t5, tokenizer):
    engine = make_t5()
    engine.submit("chat", prompt="Hello!", params=GREEDY)
    engine.submit_embedding("text", text="Tell me about the sea.")
    outputs = drain(engine)

    ids = torch.tensor([ids_of(tokenizer, "Tell me about the sea.")])
    with torch.inference_mode():
        states = t5.get_encoder()(input_ids=ids).last_hidden_state[0].mean(dim=0)
    (found,) = outputs["text"]
    assert torch.allclose(torch.tensor(found.embedding), states / states.norm(), atol=1e-5)
    assert tokens_of(outputs["chat"]) == own_answer(t5, ids_of(tokenizer, "Hello!"))


def test_one_sequence_at_fault_leaves_the_others_their_answers(make_t5, t5, tokenizer, caplog):
    engine = make_t5()
    engine.submit("a", prompt="Hello!", params=GREEDY)
    engine.submit("b", prompt="x", params=GREEDY)
    began = [output for _ in range(4) for output in engine.step()]
    forward, failures = engine._model.forward, iter([True])

    def fail_once(**inputs):
        if next(failures, False):
            raise RuntimeError("a kernel failed")
        return forward(**inputs)

    engine._model.forward = fail_once
    rest = drain(engine)

    for request, prompt in (("a", "Hello!"), ("b", "x")):
        whole = [one for one in began if one.request_id == request] + rest[request]
        assert tokens_of(whole) == own_answer(t5, ids_of(tokenizer, prompt))
    assert "2 sequences failed together: RuntimeError" in caplog.text
