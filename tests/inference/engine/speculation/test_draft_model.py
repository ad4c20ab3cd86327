import copy
import random

import pytest
import torch
import transformers as hf

from inference.engine.config import EngineConfig
from inference.engine.sampling_state import SamplingState
from inference.engine.sequence import Sequence
from inference.engine.speculation.draft_model import make_draft_model
from inference.engine.speculation.proposer import DraftRequest
from inference.exceptions import ModelLoadError
from inference.generation import SamplingParams
from tests.support.tiny_models import tiny_llama

VOCABULARY = 260


@pytest.fixture(scope="module")
def small():
    return tiny_llama(seed=1, hidden_size=32)


@pytest.fixture
def make_proposer(small):
    def make(
        model=None,
        *,
        vocabulary_size=VOCABULARY,
        context_length=256,
        cache_tokens=1024,
        **settings,
    ):
        config = EngineConfig(**{"max_batched_tokens": 64, "max_num_seqs": 4, **settings})
        return make_draft_model(
            copy.deepcopy(model or small),
            config,
            context_length=context_length,
            cache_tokens=cache_tokens,
            vocabulary_size=vocabulary_size,
        )

    return make


def sequence_of(length, *, seed=0, name="a"):
    tokens = random.Random(seed).choices(range(4, VOCABULARY), k=length)
    return Sequence(name, tokens, length, max_tokens=100)


def wish(sequence, limit=4, *, is_drawn=False, **params):
    sampling = SamplingState(SamplingParams(**params), random.Random(7))
    return DraftRequest(sequence, sampling, limit, is_drawn)


def scores_after(model, tokens):
    with torch.inference_mode():
        return model(input_ids=torch.tensor([tokens])).logits[0, -1]


def own_continuation(model, tokens, count):
    told = list(tokens)
    for _ in range(count):
        told.append(int(scores_after(model, told).argmax()))
    return told[len(tokens) :]


def guesses(proposer, *wishes):
    return [draft.tokens for draft in proposer.propose(wishes)]


@pytest.mark.parametrize("reuse", [True, False])
def test_guesses_are_the_small_models_own_words_whatever_was_kept_of_the_last(
    small, make_proposer, reuse
):
    proposer = make_proposer(prefix_cache=reuse, block_size=4)
    sequences = [sequence_of(length, seed=length) for length in (3, 16, 9)]
    rng = random.Random(0)

    for _ in range(12):
        drafts = guesses(proposer, *[wish(sequence) for sequence in sequences])
        expected = [own_continuation(small, sequence.tokens, 4) for sequence in sequences]
        assert drafts == expected
        for sequence, draft in zip(sequences, drafts, strict=True):
            kept = rng.randint(0, 4)
            sequence.tokens += [*draft[:kept], rng.randrange(4, VOCABULARY)]


def test_a_sequence_that_was_not_asked_about_for_a_while_is_caught_up_with(small, make_proposer):
    proposer = make_proposer()
    sequence = sequence_of(10)
    guesses(proposer, wish(sequence))
    sequence.tokens += [9, 8, 7, 6, 5, 9, 8, 7]

    assert guesses(proposer, wish(sequence, 2)) == [own_continuation(small, sequence.tokens, 2)]


def test_a_prompt_longer_than_a_pass_is_read_before_anything_is_guessed(small, make_proposer):
    proposer = make_proposer(max_batched_tokens=16)
    short, long = sequence_of(5), sequence_of(40, seed=1)

    rounds = [guesses(proposer, wish(short), wish(long)) for _ in range(4)]

    expected = [own_continuation(small, sequence.tokens, 4) for sequence in (short, long)]
    assert [found[0] for found in rounds] == [expected[0]] * 4
    assert [found[1] for found in rounds] == [[], [], expected[1], expected[1]]


def test_nothing_is_guessed_past_the_small_models_window(small, make_proposer):
    proposer = make_proposer(context_length=20)
    near, at_end = sequence_of(18), sequence_of(20)

    assert [len(tokens) for tokens in guesses(proposer, wish(near), wish(at_end))] == [2, 0]


def test_without_room_in_its_cache_a_sequence_gets_no_guess(make_proposer):
    proposer = make_proposer(cache_tokens=64, block_size=8, prefix_cache=False)
    first, second = sequence_of(40), sequence_of(40, seed=1)

    together = guesses(proposer, wish(first), wish(second))
    alone = guesses(proposer, wish(second))

    assert [len(tokens) for tokens in together] == [4, 0]
    assert len(alone[0]) == 4  # nobody asked about the first, so it gave way


def test_forgetting_gives_every_block_back(make_proposer):
    proposer = make_proposer()
    sequences = [sequence_of(30, seed=seed) for seed in range(3)]
    guesses(proposer, *[wish(sequence) for sequence in sequences])

    for sequence in [*sequences, sequences[0]]:
        proposer.forget(sequence)

    assert proposer._blocks.used_blocks == 0
    assert proposer._followers == {}


def test_drawn_guesses_come_with_what_they_were_drawn_from(small, make_proposer):
    sequence = sequence_of(12)

    drawn, best = make_proposer().propose(
        [wish(sequence, 3, is_drawn=True, temperature=0.8, top_k=5), wish(sequence_of(6), 2)]
    )

    assert best.probabilities is None
    assert drawn.probabilities.shape == (3, VOCABULARY)
    for at, row in enumerate(drawn.probabilities):
        scores = scores_after(small, [*sequence.tokens, *drawn.tokens[:at]])
        top = scores.topk(5)
        expected = torch.zeros(VOCABULARY).scatter(0, top.indices, (top.values / 0.8).softmax(-1))
        assert torch.allclose(row, expected, atol=1e-4)
        assert row[drawn.tokens[at]] > 0


@pytest.mark.parametrize("vocabulary_size", [40, 300])
def test_a_vocabulary_padded_differently_is_brought_to_the_large_models(
    make_proposer, vocabulary_size
):
    draft = make_proposer(vocabulary_size=vocabulary_size).propose(
        [wish(sequence_of(12), 6, is_drawn=True, temperature=2.0)]
    )[0]

    assert max(draft.tokens) < min(vocabulary_size, VOCABULARY)
    assert draft.probabilities.shape == (6, vocabulary_size)


def test_a_sequence_the_small_model_fails_on_is_left_alone(small, make_proposer, caplog):
    proposer = make_proposer()
    poisoned, healthy = sequence_of(10), sequence_of(7, seed=1)
    poisoned.tokens[3] = VOCABULARY + 50  # beyond its embedding

    rounds = [guesses(proposer, wish(poisoned), wish(healthy)) for _ in range(2)]

    assert rounds == [[[], own_continuation(small, healthy.tokens, 4)]] * 2
    assert caplog.text.count("the draft model failed") == 1


def test_a_model_that_cannot_take_back_what_it_read_is_refused(make_proposer):
    config = hf.BloomConfig(vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4)
    config.max_position_embeddings = 256

    with pytest.raises(ModelLoadError, match="cannot guess ahead"):
        make_proposer(hf.BloomForCausalLM(config).eval())
