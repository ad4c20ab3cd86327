import copy

import pytest
from transformers import MistralConfig

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from tests.support.architectures import random_model
from tests.support.engine_runs import GREEDY, answer_together, drain, naive_greedy, said, tokens_of

PROMPTS = [
    "What is the capital of France?",
    "Count to ten, then count back to one again, and say each number twice as you go along.",
    "Why?",
    "Name three rivers and the towns they run through.",
    "Tell me a story.",
]


@pytest.fixture
def answers_alone(tiny_model, tokenizer):
    return [naive_greedy(tiny_model, tokenizer, prompt) for prompt in PROMPTS]


@pytest.mark.usefixtures("in_pages")
@pytest.mark.parametrize("graphs", [True, False], ids=["graphs", "kernels"])
@pytest.mark.parametrize("slots", [1, 3, 5])
def test_pages_and_graphs_give_what_generate_gives(
    make_engine, answers_alone, recorder, graphs, slots
):
    engine = make_engine(max_num_seqs=slots, max_batched_tokens=24, cuda_graphs=graphs)

    assert answer_together(engine, PROMPTS) == answers_alone
    assert (recorder.replays > 0) == graphs


@pytest.mark.usefixtures("in_pages")
def test_scarce_pages_are_taken_and_given_back(make_engine, answers_alone):
    engine = make_engine(
        max_num_seqs=4, block_size=8, kv_cache_tokens=240, context_length=200, prefix_cache=False
    )

    assert answer_together(engine, PROMPTS) == answers_alone
    assert engine.stats().preemptions > 0
    assert engine.stats().used_blocks == 0


@pytest.mark.usefixtures("in_pages")
def test_a_second_turn_finds_its_pages(make_engine, answers_alone):
    engine = make_engine(block_size=8)
    answer_together(engine, PROMPTS[:1])

    engine.submit("again", messages=said(PROMPTS[0]), params=GREEDY)
    outputs = drain(engine)["again"]

    assert tokens_of(outputs) == answers_alone[0]
    assert outputs[-1].usage.cached_tokens > 0


@pytest.mark.usefixtures("in_pages")
def test_several_answers_share_the_pages_of_their_prompt(make_engine, answers_alone):
    engine = make_engine(block_size=8)
    params = SamplingParams(temperature=0.0, max_tokens=24, ignore_eos=True, n=3)

    engine.submit("a", messages=said(PROMPTS[0]), params=params)
    outputs = drain(engine)["a"]

    for choice in range(3):
        own = [output for output in outputs if output.choice == choice]
        assert tokens_of(own) == answers_alone[0]


@pytest.mark.usefixtures("in_pages")
def test_guesses_are_checked_over_pages(make_engine, answers_alone):
    engine = make_engine(speculation="prompt_lookup", max_num_seqs=5)

    assert answer_together(engine, PROMPTS) == answers_alone
    assert engine.stats().drafted_tokens > 0


@pytest.mark.usefixtures("in_pages")
def test_layers_with_a_window_agree(tokenizer):
    config = MistralConfig(
        vocab_size=260, hidden_size=64, intermediate_size=128, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512,
        sliding_window=12, bos_token_id=None, eos_token_id=1, pad_token_id=0,
    )  # fmt: skip
    model = random_model(config)
    alone = [naive_greedy(model, tokenizer, prompt) for prompt in PROMPTS]

    engine = LLMEngine(copy.deepcopy(model), tokenizer, EngineConfig(name="m", threads=1))

    assert answer_together(engine, PROMPTS) == alone


@pytest.mark.usefixtures("in_pages")
def test_warming_up_captures_a_graph_for_every_size(make_engine, recorder):
    engine = make_engine(max_num_seqs=20, context_length=64)

    engine.warm_up()

    assert set(recorder.sizes) == {1, 2, 4, 8, 16, 20}


@pytest.mark.usefixtures("in_pages")
def test_the_engine_says_how_it_attends(make_engine):
    assert make_engine().describe().startswith("fused gathered pages runner")


@pytest.mark.usefixtures("in_pages")
def test_pages_are_as_large_as_what_reads_them_likes(make_engine):
    assert make_engine(kv_cache_tokens=640, block_size=None).stats().free_blocks == 640 // 64
    assert make_engine(kv_cache_tokens=640, block_size=32).stats().free_blocks == 640 // 32


def test_without_cuda_the_cache_is_in_rows(make_engine):
    assert make_engine().describe().startswith("fused runner")
