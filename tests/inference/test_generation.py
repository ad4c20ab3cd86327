import json

import msgpack
import pytest

from inference.exceptions import InvalidRequestError
from inference.generation import SamplingParams

FULL = SamplingParams(
    temperature=0.3,
    stop=("a", "b"),
    stop_token_ids=(1, 2),
    logit_bias=((5, -1.5), (7, 100.0)),
    logprobs=3,
    prompt_logprobs=0,
    n=2,
    best_of=4,
    echo=True,
    min_tokens=3,
    truncate_prompt="left",
    grammar={"type": "json_object"},
)


@pytest.mark.parametrize("params", [SamplingParams(), FULL])
@pytest.mark.parametrize(
    "carry", [lambda d: json.loads(json.dumps(d)), lambda d: msgpack.unpackb(msgpack.packb(d))]
)
def test_parameters_come_back_as_they_were_sent(params, carry):
    assert SamplingParams.from_dict(carry(params.as_dict())) == params


def test_what_is_absent_has_its_default():
    assert SamplingParams.from_dict({"n": 3}) == SamplingParams(n=3)


@pytest.mark.parametrize("bias", [{"5": -1, 7: 2.5}, [[5, -1], [7, 2.5]], ((5, -1.0), (7, 2.5))])
def test_a_bias_may_be_a_mapping_or_pairs(bias):
    assert SamplingParams.from_dict({"logit_bias": bias}).logit_bias == ((5, -1.0), (7, 2.5))


@pytest.mark.parametrize("bias", [{"five": 1}, {"5": "much"}, [5], 3])
def test_a_bias_that_names_no_token_is_refused(bias):
    with pytest.raises(InvalidRequestError) as caught:
        SamplingParams.from_dict({"logit_bias": bias})

    assert caught.value.param == "logit_bias"


def test_a_parameter_nobody_knows_is_refused_and_not_ignored():
    with pytest.raises(InvalidRequestError, match="unknown parameter 'top_z'"):
        SamplingParams.from_dict({"top_z": 1})


@pytest.mark.parametrize(("params", "count"), [({}, 1), ({"n": 3}, 3), ({"n": 2, "best_of": 5}, 5)])
def test_as_many_answers_are_generated_as_best_of_says(params, count):
    assert SamplingParams(**params).choice_count == count
