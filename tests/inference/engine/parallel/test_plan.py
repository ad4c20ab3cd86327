import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.parallel.plan import NOTHING, PlanReader, PlanWriter
from inference.engine.sequence import Chunk, Sequence


def sequence_in(request_id, tokens, runs):
    sequence = Sequence(request_id, list(tokens), prompt_tokens=len(tokens), max_tokens=8)
    for first, count in runs:
        for at in range(count):
            sequence.add_block(first + at, begins_row=at == 0)
    return sequence


def seen(chunk):
    """All that a runner reads of a chunk."""
    sequence = chunk.sequence
    return chunk.tokens, chunk.start, chunk.count, chunk.scored, sequence.blocks, sequence.runs


RUNS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 9)), min_size=1, max_size=4)


@given(st.lists(st.tuples(st.integers(1, 40), RUNS, st.data()), max_size=4), st.data())
def test_a_follower_reads_the_chunks_the_leader_wrote(specs, data):
    chunks = []
    for number, (length, runs, _) in enumerate(specs):
        tokens = data.draw(st.lists(st.integers(0, 2**40), min_size=length, max_size=length))
        start = data.draw(st.integers(0, length - 1))
        count = data.draw(st.integers(1, length - start))
        sequence = sequence_in(f"request {number}", tokens, runs)
        chunks.append(Chunk(sequence, start, count, data.draw(st.integers(0, count))))

    plan = PlanReader().read(PlanWriter().write(chunks))

    assert [seen(chunk) for chunk in plan.chunks] == [seen(chunk) for chunk in chunks]


def test_a_sequence_stays_itself_from_step_to_step():
    writer, reader = PlanWriter(), PlanReader()
    sequence = sequence_in("a", [1, 2, 3], [(4, 1)])
    first = reader.read(writer.write([Chunk(sequence, 0, 3, 1)])).chunks[0]

    sequence.tokens.append(9)
    sequence.add_block(5)
    second = reader.read(writer.write([Chunk(sequence, 3, 1, 1)])).chunks[0]

    assert second.sequence is first.sequence
    assert second.sequence.tokens == [1, 2, 3, 9]
    assert second.sequence.blocks == [4, 5]


def test_a_draft_that_was_refused_is_written_over():
    writer, reader = PlanWriter(), PlanReader()
    sequence = sequence_in("a", [1, 2, 3, 7, 7], [(0, 2)])
    reader.read(writer.write([Chunk(sequence, 2, 3, 3)]))

    sequence.tokens[3:] = [8]
    chunk = reader.read(writer.write([Chunk(sequence, 3, 1, 1)])).chunks[0]

    assert chunk.sequence.tokens == [0, 0, 3, 8]


def test_a_preempted_sequence_comes_back_in_other_blocks():
    writer, reader = PlanWriter(), PlanReader()
    sequence = sequence_in("a", [1, 2], [(3, 1)])
    reader.read(writer.write([Chunk(sequence, 0, 2, 1)]))

    sequence.forget_blocks()
    sequence.add_block(11)
    chunk = reader.read(writer.write([Chunk(sequence, 0, 2, 1)])).chunks[0]

    assert chunk.sequence.blocks == [11]
    assert chunk.sequence.runs == [(11, 1)]


def test_an_ended_sequence_is_forgotten_with_the_next_plan():
    writer, reader = PlanWriter(), PlanReader()
    ended, other = sequence_in("a", [1], [(0, 1)]), sequence_in("b", [2], [(1, 1)])
    (first,) = reader.read(writer.write([Chunk(ended, 0, 1, 1)])).chunks

    writer.forget(ended)
    plan = reader.read(writer.write([Chunk(other, 0, 1, 1)]))
    again = sequence_in("a", [1], [(0, 1)])
    (third,) = reader.read(writer.write([Chunk(again, 0, 1, 1)])).chunks

    assert plan.forgotten == [first.sequence]
    assert third.sequence is not first.sequence


def test_several_answers_of_one_request_are_sequences_of_their_own():
    writer, reader = PlanWriter(), PlanReader()
    answers = [sequence_in("a", [1, token], [(block, 1)]) for block, token in ((0, 5), (1, 6))]

    chunks = reader.read(writer.write([Chunk(answer, 0, 2, 1) for answer in answers])).chunks

    assert chunks[0].sequence is not chunks[1].sequence
    assert [chunk.sequence.tokens for chunk in chunks] == [[1, 5], [1, 6]]


def test_blocks_are_copied_and_cleared_once_and_in_order():
    writer, reader = PlanWriter(), PlanReader()
    chunk = Chunk(sequence_in("a", [1], [(0, 1)]), 0, 1, 1)

    writer.copy([(3, 4)])
    writer.clear([3, 7])
    writer.copy([(8, 3)])
    first, second = (reader.read(writer.write([chunk])) for _ in range(2))

    assert first.edits == [(3, 4), (NOTHING, 3), (NOTHING, 7), (8, 3)]
    assert second.edits == []


@pytest.mark.parametrize("length", [20, 20_000])
def test_a_decoding_sequence_takes_few_words_however_long_it_is(length):
    sequence = sequence_in("a", [1] * length, [(0, length // 16 + 1)])

    words = PlanWriter().write([Chunk(sequence, length - 1, 1, 1)])

    assert len(words) < 12
