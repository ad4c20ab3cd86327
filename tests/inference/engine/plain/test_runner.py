import copy

import pytest
import torch
from transformers import AutoModelForCausalLM

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.engine.plain.asking import DecoderAsking, ForgetfulAsking
from inference.engine.plain.choice import WAYS, choose_plain_runner, own_plain_scores, plain_problem
from inference.engine.plain.runner import PlainRunner
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import ModelLoadError
from inference.generation import FinishReason, SamplingParams
from tests.support.architectures import ARCHITECTURES, model_of
from tests.support.engine_runs import drain, naive_greedy, said, tokens_of

PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]
PARAMS = SamplingParams(temperature=0.0, max_tokens=12, ignore_eos=True)


@pytest.fixture(scope="module")
def bloom():
    return model_of("bloom")


@pytest.fixture
def engine(bloom, tokenizer):
    settings = EngineConfig(name="bloom", max_num_seqs=4, context_length=256, threads=1)
    return LLMEngine(copy.deepcopy(bloom), tokenizer, settings)


def sequence_of(tokens):
    return Sequence("a", list(tokens), prompt_tokens=len(tokens), max_tokens=9, blocks=[0])


def begin(engine, prompts=PROMPTS, *, steps=4):
    """Let prompts be answered for a few steps; return what came."""
    outputs = {}
    for number, prompt in enumerate(prompts):
        engine.submit(str(number), messages=said(prompt), params=PARAMS)
    for _ in range(steps):
        for output in engine.step():
            outputs.setdefault(output.request_id, []).append(output)
    return outputs


def finish(engine, outputs):
    for request_id, rest in drain(engine).items():
        outputs.setdefault(request_id, []).extend(rest)
    return outputs


def failing(model, errors):
    """Let a model's next passes raise errors; None lets one pass."""
    forward, rest = model.forward, iter(errors)

    def forward_or_fail(*args, **kwargs):
        error = next(rest, None)
        if error is not None:
            raise error
        return forward(*args, **kwargs)

    # The names of its parameters tell the runner what the model takes.
    forward_or_fail.__wrapped__ = forward
    model.forward = forward_or_fail


def own_answers(model, tokenizer):
    return [naive_greedy(model, tokenizer, prompt, 12) for prompt in PROMPTS]


def test_sequences_decode_in_one_pass(engine, bloom, tokenizer):
    outputs = begin(engine)
    sizes = []
    forward = engine._model.forward

    def watched(input_ids, **kwargs):
        sizes.append(tuple(input_ids.shape))
        return forward(input_ids=input_ids, **kwargs)

    engine._model.forward = watched
    engine.step()
    finish(engine, outputs)

    assert sizes[0] == (3, 1)


def test_a_pass_that_fails_is_computed_again_sequence_by_sequence(engine, bloom, tokenizer, caplog):
    outputs = begin(engine)

    failing(engine._model, [RuntimeError("a kernel failed")])
    finish(engine, outputs)

    assert [tokens_of(outputs[str(number)]) for number in range(3)] == own_answers(bloom, tokenizer)
    assert "3 sequences failed together: RuntimeError" in caplog.text


def test_a_sequence_at_fault_fails_alone(engine, bloom, tokenizer):
    outputs = begin(engine)

    failing(engine._model, [RuntimeError("together"), RuntimeError("alone")])
    finish(engine, outputs)

    reasons = [outputs[str(number)][-1].finish_reason for number in range(3)]
    assert reasons.count(FinishReason.ERROR) == 1
    healthy = [number for number in range(3) if reasons[number] is not FinishReason.ERROR]
    own = own_answers(bloom, tokenizer)
    assert [tokens_of(outputs[str(number)]) for number in healthy] == [own[n] for n in healthy]


def test_sequences_take_turns_once_memory_was_short(engine, bloom, tokenizer):
    outputs = begin(engine)
    failing(engine._model, [torch.OutOfMemoryError("no memory left")])

    finish(engine, outputs)

    assert [tokens_of(outputs[str(number)]) for number in range(3)] == own_answers(bloom, tokenizer)
    assert not engine._runner._is_batched


def test_an_answer_that_is_cancelled_leaves_its_row(engine, bloom, tokenizer):
    outputs = begin(engine)
    engine.cancel("1")

    finish(engine, outputs)

    own = own_answers(bloom, tokenizer)
    assert outputs["1"][-1].finish_reason is FinishReason.CANCELLED
    assert [tokens_of(outputs[name]) for name in ("0", "2")] == [own[0], own[2]]
    assert engine._runner.held_sequences == 0


def test_a_sequence_that_sits_out_a_step_keeps_its_memory(bloom):
    runner = PlainRunner(DecoderAsking(bloom), is_batched=True)
    first, second = sequence_of([5, 6, 7, 8, 9]), sequence_of([40, 41, 42, 43])
    runner.compute([Chunk(first, 0, 3, scored=0), Chunk(second, 0, 2, scored=0)])

    runner.compute([Chunk(first, 3, 1, scored=1), Chunk(second, 2, 1, scored=1)])
    alone = runner.compute([Chunk(first, 4, 1, scored=1)])
    other = runner.compute([Chunk(second, 3, 1, scored=1)])

    for scores, sequence in ((alone, first), (other, second)):
        with torch.inference_mode():
            own = bloom(torch.tensor([sequence.tokens])).logits[0, -1:]
        assert torch.allclose(scores, own, atol=1e-4)
    assert runner.held_sequences == 2


def test_the_chunks_of_every_pass_are_told_in_the_order_of_its_rows(bloom):
    runner = PlainRunner(DecoderAsking(bloom), is_batched=True)
    first, second = sequence_of([5, 6, 7]), sequence_of([40, 41, 42])
    told = []
    runner.on_chunks = told.append
    runner.compute([Chunk(first, 0, 2, scored=0), Chunk(second, 0, 2, scored=0)])

    runner.compute([Chunk(second, 2, 1, scored=1), Chunk(first, 2, 1, scored=1)])

    assert [[chunk.sequence for chunk in chunks] for chunks in told] == [
        [first],
        [second],
        [second, first],
    ]


def test_sequences_share_no_blocks(bloom):
    runner = PlainRunner(DecoderAsking(bloom), is_batched=True)

    with pytest.raises(NotImplementedError, match="share nothing"):
        runner.copy_blocks([(0, 1)])


def test_a_model_without_a_memory_reads_everything_again(bloom):
    runner = PlainRunner(ForgetfulAsking(bloom), is_batched=False)
    sequence = sequence_of([5, 6, 7, 8])

    runner.compute([Chunk(sequence, 0, 2, scored=0)])
    scores = runner.compute([Chunk(sequence, 2, 2, scored=1)])

    with torch.inference_mode():
        own = bloom(torch.tensor([[5, 6, 7, 8]])).logits[0, -1:]
    assert torch.allclose(scores, own, atol=1e-5)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_is_right_for_a_model_that_allows_all(way, bloom):
    assert plain_problem(way, bloom, own_plain_scores(bloom), largest=1e-3) is None


def test_the_choice_falls_on_the_first_way_that_is_right():
    chosen = choose_plain_runner(model_of("mamba"), EngineConfig())

    assert (chosen.way, chosen.is_whole) == ("plain (whole prompts)", True)


@pytest.mark.parametrize("name", ["falcon_mamba", "rwkv"])
def test_low_precision_does_not_hide_a_way_that_is_wrong(name):
    config = ARCHITECTURES[name].make_config()
    torch.manual_seed(0)  # with usual weights a mistake is as small as rounding elsewhere
    model = AutoModelForCausalLM.from_config(config).eval().to(torch.bfloat16)

    chosen = choose_plain_runner(model, EngineConfig())

    assert chosen.way == ARCHITECTURES[name].way


def test_a_model_that_cannot_compute_at_all_is_refused_in_words(bloom, tokenizer):
    model = copy.deepcopy(bloom)
    failing(model, [RuntimeError("expected scalar type Float\n but found Char")] * 99)

    with pytest.raises(ModelLoadError, match="Float but found Char"):
        LLMEngine(model, tokenizer, EngineConfig(context_length=64))


def test_a_model_that_no_way_fits_is_refused_with_the_first_reason(bloom):
    model = copy.deepcopy(bloom)
    forward = model.forward

    def shaky(**kwargs):
        output = forward(**kwargs)
        output.logits = torch.randn_like(output.logits)
        return output

    shaky.__wrapped__ = forward
    model.forward = shaky

    with pytest.raises(ModelLoadError, match="cannot be served by this engine: its scores"):
        choose_plain_runner(model, EngineConfig())
