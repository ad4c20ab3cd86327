import pytest
import torch

from inference.engine.encoder.attention import (
    EqualTexts,
    TextStep,
    equal_neighbours,
    text_attention,
)

HEADS, KEY_HEADS, SIZE = 4, 2, 8


def tensors(lengths, *, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(heads, sum(lengths), SIZE, generator=generator)
        for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    ]


def attend_slowly(query, key, value, lengths, *, window, is_causal):
    """The formula, one query of one head at a time: [N, heads, D]."""
    mixed = torch.zeros(query.shape[1], HEADS, SIZE)
    text_of = [text for text, length in enumerate(lengths) for _ in range(length)]
    for at in range(query.shape[1]):
        seen = [
            other
            for other in range(query.shape[1])
            if text_of[other] == text_of[at]
            and (window is None or abs(other - at) < window)
            and (other <= at or not is_causal)
        ]
        for head in range(HEADS):
            keys = key[head // (HEADS // KEY_HEADS), seen]
            weights = (keys @ query[head, at] / SIZE**0.5).softmax(dim=0)
            mixed[at, head] = weights @ value[head // (HEADS // KEY_HEADS), seen]
    return mixed


@pytest.mark.parametrize("lengths", [(1,), (5,), (3, 3, 3), (1, 4, 4, 9), (7, 2, 7)])
@pytest.mark.parametrize("window", [None, 3, 9, 50])
@pytest.mark.parametrize("is_causal", [False, True])
def test_each_text_attends_to_itself_alone(lengths, window, is_causal):
    query, key, value = tensors(lengths)

    found = TextStep(lengths).attend(
        query, key, value, scaling=None, window=window, is_causal=is_causal
    )

    expected = attend_slowly(query, key, value, lengths, window=window, is_causal=is_causal)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_only_neighbours_of_one_length_are_a_batch():
    assert list(equal_neighbours([2, 2, 5, 2])) == [
        EqualTexts(first=0, texts=2, length=2),
        EqualTexts(first=4, texts=1, length=5),
        EqualTexts(first=9, texts=1, length=2),
    ]


def test_a_layer_that_says_it_is_causal_is_causal():
    query, key, value = tensors((6,))
    layer = torch.nn.Module()
    layer.is_causal = True

    found, weights = text_attention(
        layer, query[None], key[None], value[None], None, packed_texts=TextStep((6,))
    )

    expected = attend_slowly(query, key, value, (6,), window=None, is_causal=True)
    assert weights is None
    torch.testing.assert_close(found[0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("mask", "softcap"), [(torch.zeros(1, 1, 6, 6), None), (None, 30.0)], ids=["mask", "softcap"]
)
def test_attention_of_another_kind_is_refused(mask, softcap):
    query, key, value = (tensor[None] for tensor in tensors((6,)))

    with pytest.raises(NotImplementedError, match="attention with"):
        text_attention(
            torch.nn.Module(), query, key, value, mask, packed_texts=TextStep((6,)), softcap=softcap
        )
