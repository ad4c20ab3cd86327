import pytest
import torch
from transformers import DynamicCache

from inference.engine.plain.asking import left_mask
from inference.engine.plain.memory import Memory, has_columns, join, pick
from tests.support.architectures import model_of


def remembered(model, tokens):
    with torch.inference_mode():
        output = model(input_ids=torch.tensor([tokens]), use_cache=True)
    return Memory(output.past_key_values, [len(tokens)])


def keys_of(memory, layer=0):
    return memory.held.layers[layer].keys


def test_rows_of_different_length_are_padded_on_the_left():
    model = model_of("llama")
    short, long = remembered(model, [5, 6]), remembered(model, [5, 6, 7, 8])
    short_keys, long_keys = keys_of(short), keys_of(long)

    together = join([short, long])

    assert together.lengths == [2, 4]
    assert torch.equal(keys_of(together)[0, :, 2:], short_keys[0])
    assert torch.equal(keys_of(together)[0, :, :2], torch.zeros_like(short_keys[0]))
    assert torch.equal(keys_of(together)[1], long_keys[0])


def test_a_row_that_is_picked_has_no_padding_left():
    model = model_of("llama")
    short, long = remembered(model, [5, 6]), remembered(model, [5, 6, 7, 8])
    expected = keys_of(short)

    alone = pick(join([short, long]), [0])

    assert alone.lengths == [2]
    assert torch.equal(keys_of(alone), expected)


@pytest.mark.parametrize("name", ["gpt_oss", "mamba", "jamba", "zamba2", "qwen3_next"])
def test_what_is_joined_comes_apart_as_it_was(name):
    model = model_of(name)
    before = remembered_by_any(model, [5, 6, 7]), remembered_by_any(model, list(range(9, 34)))
    expected = [tensors_of(memory.held) for memory in before]

    together = join(list(before))
    apart = [pick(together, [row]) for row in (0, 1)]

    for memory, tensors in zip(apart, expected, strict=True):
        found = tensors_of(memory.held)
        assert len(found) == len(tensors) > 0
        assert all(torch.equal(one, other) for one, other in zip(found, tensors, strict=True))


def remembered_by_any(model, tokens):
    with torch.inference_mode():
        output = model(input_ids=torch.tensor([tokens]), use_cache=True)
    held = getattr(output, "past_key_values", None) or output.cache_params
    return Memory(held, [len(tokens)])


def tensors_of(held):
    """All tensors of a cache, in order."""
    found = []
    for layer in held.layers:
        own = [getattr(layer, "keys", None), getattr(layer, "values", None)]
        for states in (getattr(layer, "conv_states", {}), getattr(layer, "recurrent_states", {})):
            own += states.values()
        found += [tensor.clone() for tensor in own if tensor is not None]
    return found


def test_lists_of_states_have_a_row_for_each_sequence():
    first, second = [torch.ones(1, 3), torch.zeros(1, 2)], [torch.full((1, 3), 2.0)] * 2

    together = join([Memory(first, [4]), Memory([second[0], torch.ones(1, 2)], [9])])

    assert together.held[0].tolist() == [[1, 1, 1], [2, 2, 2]]
    assert pick(together, [1]).held[1].tolist() == [[1, 1]]
    assert not has_columns(together.held)


def test_a_memory_of_an_unknown_kind_is_not_joined():
    class Mystery(DynamicCache):
        pass

    with pytest.raises(NotImplementedError, match="Mystery"):
        join([Memory(Mystery(), [1]), Memory(Mystery(), [1])])
    with pytest.raises(NotImplementedError, match="Mystery"):
        pick(Memory(Mystery(), [1, 1]), [0])


def test_one_memory_alone_is_not_copied():
    memory = Memory([torch.ones(1, 3)], [4])

    assert join([memory]) is memory


def test_the_mask_has_its_zeros_on_the_left():
    assert left_mask([1, 3]).tolist() == [[0, 0, 1], [1, 1, 1]]


def test_a_memory_says_whether_it_grows_with_every_token():
    names = ("llama", "mamba", "jamba", "gpt_oss")

    growing = [has_columns(remembered_by_any(model_of(name), [5]).held) for name in names]

    assert growing == [True, False, True, True]
