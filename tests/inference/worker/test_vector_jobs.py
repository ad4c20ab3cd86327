"""Many texts, a few at a time, put together again."""

from dataclasses import dataclass

import numpy as np
import pytest

from inference.bus.outbox import Output
from inference.exceptions import ContextLengthExceededError, QueueFullError
from inference.generation import Failure, FinishReason, Usage
from inference.requests import EmbeddingRequest
from inference.worker.vector_jobs import AT_ONCE, VectorJobs


@dataclass
class Pooled:
    """An engine's output about a text."""

    request_id: str
    embedding: tuple[float, ...] | None = None
    usage: Usage | None = None
    failure: Failure | None = None


class Letters:
    """A tokenizer whose tokens are letters, in brackets."""

    def encode(self, text):
        return [ord(letter) for letter in text]

    def dress(self, tokens):
        return [ord("["), *tokens, ord("]")]


class LengthEngine:
    """An engine that turns a text into its direction: its length to the right, its first up."""

    context_length = 6
    tokens = Letters()

    def __init__(self, *, room=10_000):
        self.room = room
        self.waiting = {}
        self.most_waiting = 0
        self.cancelled = []

    def submit_embedding(self, request_id, *, text, token_ids, normalize, **_options):
        if len(self.waiting) == self.room:
            raise QueueFullError("letters", retry_after_s=1)
        tokens = token_ids if token_ids is not None else self.tokens.dress(map(ord, text))
        self.waiting[request_id] = (list(tokens), normalize)
        self.most_waiting = max(self.most_waiting, len(self.waiting))

    def cancel(self, request_id):
        self.cancelled.append(request_id)

    def pool(self):
        """The output about the text that waits longest."""
        name, (tokens, normalize) = next(iter(self.waiting.items()))
        del self.waiting[name]
        vector = np.array([len(tokens), tokens[1]], dtype=float)
        if normalize:
            vector /= np.linalg.norm(vector)
        return Pooled(name, tuple(vector), Usage(len(tokens), 0))


def run(engine, request) -> Output:
    jobs = VectorJobs(engine)
    jobs.begin(request)
    while True:
        end = jobs.output(engine.pool())
        if end is not None:
            return end


def vectors(end: Output) -> np.ndarray:
    assert end.result is not None
    return np.frombuffer(end.result["vectors"], dtype="<f4").reshape(-1, end.result["width"])


def test_vectors_come_in_the_order_of_the_texts_a_few_at_a_time():
    texts = tuple("abcd"[: 1 + number % 4] for number in range(3 * AT_ONCE))
    engine = LengthEngine()

    end = run(engine, EmbeddingRequest("letters", texts))

    expected = np.array([[len(text) + 2, ord("a")] for text in texts], dtype=float)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.allclose(vectors(end), expected)
    assert end.usage == Usage(sum(len(text) + 2 for text in texts), 0)
    assert engine.most_waiting == AT_ONCE


def test_a_split_text_is_the_mean_of_its_parts_weighted_by_tokens():
    # Four letters fit between brackets: ten make parts of 4, 4 and 2.
    end = run(LengthEngine(), EmbeddingRequest("letters", ("aaaabbbbcc",), splits=True))

    parts = np.array([[6, ord("a")], [6, ord("b")], [4, ord("c")]], dtype=float)
    mean = (parts * [[6], [6], [4]]).sum(axis=0)
    assert np.allclose(vectors(end), mean / np.linalg.norm(mean))
    assert end.usage == Usage(16, 0)


def test_a_text_that_fits_is_not_split():
    end = run(LengthEngine(), EmbeddingRequest("letters", ("abcd",), splits=True))

    assert end.usage == Usage(6, 0)


def test_a_window_that_holds_no_text_is_told():
    engine = LengthEngine()
    engine.context_length = 2

    with pytest.raises(ContextLengthExceededError):
        VectorJobs(engine).begin(EmbeddingRequest("letters", ("abc",), splits=True))


def test_a_full_engine_refuses_and_keeps_nothing():
    engine = LengthEngine(room=2)
    jobs = VectorJobs(engine)

    with pytest.raises(QueueFullError):
        jobs.begin(EmbeddingRequest("letters", ("a", "b", "c"), request_id="r"))

    assert engine.cancelled == ["r#0", "r#1", "r#2"]
    assert jobs.output(engine.pool()) is None


def test_one_broken_text_ends_the_request():
    engine = LengthEngine()
    jobs = VectorJobs(engine)
    jobs.begin(EmbeddingRequest("letters", ("a", "b"), request_id="r"))

    end = jobs.output(Pooled("r#0", failure=Failure("model_error", "it broke")))

    assert end is not None
    assert (end.finish_reason, end.failure) == (
        FinishReason.ERROR,
        Failure("model_error", "it broke"),
    )
    assert engine.cancelled == ["r#1"]
