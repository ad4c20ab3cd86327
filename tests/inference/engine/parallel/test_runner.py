import pytest
import torch

from inference.engine.parallel.plan import PlanReader
from inference.engine.parallel.runner import LeadingRunner, follow
from inference.engine.plain.asking import DecoderAsking
from inference.engine.plain.runner import PlainRunner
from inference.engine.sequence import Chunk, Sequence
from inference.exceptions import EngineLostError
from tests.support.tiny_models import tiny_llama


class RecordedChannel:
    """A channel whose other end is a list."""

    def __init__(self, plans=()):
        self.plans = list(plans)

    def send(self, words):
        self.plans.append(list(words))

    def receive(self):
        return self.plans.pop(0) if self.plans else None


class BrokenChannel:
    """A channel whose other end is gone."""

    def send(self, words):
        raise EngineLostError("connection closed by peer")


def plain_runner(model):
    return PlainRunner(DecoderAsking(model), is_batched=True)


def sequence_of(name, tokens):
    return Sequence(name, tokens, prompt_tokens=3, max_tokens=4, blocks=[0], runs=[(0, 1)])


def whole(sequence):
    return Chunk(sequence, 0, len(sequence.tokens), scored=1)


def test_every_step_is_told_before_it_is_computed():
    model, channel = tiny_llama(), RecordedChannel()
    sequence = sequence_of("a", [5, 6, 7])

    result = LeadingRunner(plain_runner(model), channel).run([whole(sequence)])

    (plan,) = [PlanReader().read(words) for words in channel.plans]
    assert plan.chunks[0].tokens == [5, 6, 7]
    own = model(torch.tensor([[5, 6, 7]])).logits[0, -1:]
    assert torch.allclose(result.logits, own, atol=1e-6)


def test_sequences_that_share_no_cache_are_told_in_one_plan():
    channel = RecordedChannel()
    chunks = [whole(sequence_of("a", [5, 6, 7])), whole(sequence_of("b", [8, 9, 4]))]

    result = LeadingRunner(plain_runner(tiny_llama()), channel).run(chunks)

    assert result.chunks == chunks
    assert result.logits.shape[0] == 2
    assert len(channel.plans) == 1


def test_a_follower_computes_what_was_told_and_forgets_what_ended():
    channel = RecordedChannel()
    leading = LeadingRunner(plain_runner(tiny_llama()), channel)
    first, second = sequence_of("a", [5, 6, 7]), sequence_of("b", [8, 9, 4])
    leading.run([whole(first)])
    leading.forget(first)
    leading.run([whole(second)])
    follower = plain_runner(tiny_llama())

    follow(follower, channel)

    assert follower.held_sequences == 1
    assert channel.plans == []


def test_after_a_failed_pass_nothing_is_tried_again():
    channel = RecordedChannel()
    leading = LeadingRunner(plain_runner(tiny_llama()), channel)
    impossible = whole(sequence_of("a", [10_000, 6, 7]))

    with pytest.raises(EngineLostError, match="lost step"):
        leading.run([impossible])
    with pytest.raises(EngineLostError, match="lost step"):
        leading.run([whole(sequence_of("b", [5, 6, 7]))])

    assert len(channel.plans) == 1


def test_a_follower_that_is_gone_loses_the_engine():
    leading = LeadingRunner(plain_runner(tiny_llama()), BrokenChannel())

    with pytest.raises(EngineLostError, match="closed by peer"):
        leading.run([whole(sequence_of("a", [5, 6, 7]))])
