"""Requests that come, go and give way at any time: every answer is still the model's own."""

import copy
import random

import pytest
import torch

from inference.engine.config import EngineConfig
from inference.engine.llm_engine import LLMEngine
from inference.generation import SamplingParams
from tests.support.architectures import model_of
from tests.support.encoder_decoders import ENCODER_DECODERS, own_answer, random_encoder_decoder

REQUESTS = 14


def own_tokens(model, prompt, count):
    """What `generate` answers to a prompt alone."""
    if model.config.is_encoder_decoder:
        return own_answer(model, prompt, count)
    ids = torch.tensor([prompt])
    options = {"do_sample": False, "eos_token_id": None, "pad_token_id": 0}
    with torch.inference_mode():
        output = model.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, **options
        )
    return output[0, len(prompt) :].tolist()


@pytest.mark.parametrize("name", ["bloom", "falcon", "jamba", "t5", "bart"])
def test_a_crowd_gets_the_answers_everybody_would_get_alone(name, tokenizer):
    dice = random.Random(2)
    model = random_encoder_decoder(name) if name in ENCODER_DECODERS else model_of(name)
    settings = EngineConfig(
        name=name,
        max_num_seqs=5,
        max_batched_tokens=12,
        context_length=60,
        kv_cache_tokens=72,
        block_size=2,
        threads=1,
    )
    engine = LLMEngine(copy.deepcopy(model), tokenizer, settings)
    asked, answers, cancelled = {}, {}, set()

    while engine.has_work() or len(asked) < REQUESTS:
        if len(asked) < REQUESTS and dice.random() < 0.8:
            request_id = str(len(asked))
            prompt = [dice.randrange(4, 260) for _ in range(dice.randrange(1, 16))]
            asked[request_id] = (prompt, dice.randrange(1, 36))
            answers[request_id] = []
            params = SamplingParams(
                temperature=0.0, max_tokens=asked[request_id][1], ignore_eos=True
            )
            engine.submit(request_id, prompt_token_ids=prompt, params=params)
        if asked and dice.random() < 0.03:
            gone = dice.choice(list(asked))
            cancelled.add(gone)
            engine.cancel(gone)
        for output in engine.step():
            answers[output.request_id] += [] if output.token is None else [output.token]

    own = {request_id: own_tokens(model, *asked[request_id]) for request_id in asked}
    for request_id in cancelled:
        own[request_id] = own[request_id][: len(answers[request_id])]
    assert answers == own
    assert engine.stats().preemptions > 0
    assert engine._runner.held_sequences == engine.stats().used_blocks == 0
