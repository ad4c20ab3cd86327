import pytest

from inference.engine.validation import check_params
from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams


@pytest.mark.parametrize(
    "params",
    [
        SamplingParams(),
        SamplingParams(temperature=0, top_p=1e-6, top_k=1, min_p=1, max_tokens=1, seed=-5),
        SamplingParams(temperature=2.0, presence_penalty=-2, frequency_penalty=2),
        SamplingParams(n=16, best_of=16, logprobs=0, prompt_logprobs=20, min_tokens=0),
        SamplingParams(logit_bias=((0, -100), (99, 100.0)), truncate_prompt="left"),
        SamplingParams(stop=("x" * 500,) * 16, stop_token_ids=(0, 99), repetition_penalty=10),
    ],
)
def test_values_within_their_ranges_are_accepted(params):
    check_params(params, vocabulary_size=100)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", 2.1),
        ("temperature", float("nan")),
        ("temperature", "hot"),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_p", float("inf")),
        ("top_k", -1),
        ("min_p", 1.5),
        ("repetition_penalty", 0.0),
        ("presence_penalty", 2.5),
        ("frequency_penalty", -2.5),
        ("max_tokens", 0),
        ("max_tokens", -3),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("seed", "seven"),
        ("stop", ("",)),
        ("stop", ("x" * 501,)),
        ("stop", ("x",) * 17),
        ("stop", (5,)),
        ("stop_token_ids", (100,)),
        ("stop_token_ids", (-1,)),
        ("stop_token_ids", (5,) * 1_025),
        ("temperature", 10**400),
        pytest.param("max_tokens", 10**5_000, id="max_tokens-huge"),
        ("seed", 2**64),
        ("seed", 1.5),
        ("min_tokens", -1),
        ("logprobs", 21),
        ("logprobs", -1),
        ("logprobs", True),
        ("prompt_logprobs", 21),
        ("n", 0),
        ("n", 200_000),
        ("best_of", 17),
        ("logit_bias", ((100, 1.0),)),
        ("logit_bias", ((-1, 1.0),)),
        ("logit_bias", ((1, 100.5),)),
        ("logit_bias", ((1, float("nan")),)),
        ("logit_bias", ((1, 1.0), (1, 2.0))),
        ("logit_bias", ((1, 1.0),) * 1_025),
        ("truncate_prompt", "right"),
    ],
)
def test_a_value_outside_its_range_is_refused_by_name(name, value):
    with pytest.raises(InvalidRequestError) as caught:
        check_params(SamplingParams(**{name: value}), vocabulary_size=100)

    assert caught.value.param == name
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("params", "name"),
    [({"n": 3, "best_of": 2}, "best_of"), ({"min_tokens": 5, "max_tokens": 4}, "min_tokens")],
)
def test_values_that_contradict_each_other_are_refused(params, name):
    with pytest.raises(InvalidRequestError) as caught:
        check_params(SamplingParams(**params), vocabulary_size=100)

    assert caught.value.param == name
