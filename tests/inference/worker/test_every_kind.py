"""Models of other kinds than decoders with keys and values, asked through the whole road."""

import asyncio
from pathlib import Path

import torch

from inference import client
from inference.generation import FinishReason, GenerationRequest, Reply, SamplingParams
from inference.in_process import ModelSpec, hold_model
from inference.messages import Message, Role
from tests.support.architectures import model_of
from tests.support.encoder_decoders import own_answer, random_encoder_decoder
from tests.support.engine_runs import naive_greedy, prompt_ids
from tests.support.tiny_models import byte_tokenizer

PROMPTS = ["Hello!", "Tell me about the sea and the sky.", "x"]
PARAMS = SamplingParams(temperature=0.0, max_tokens=16, ignore_eos=True)


def saved(model, folder: Path) -> Path:
    model.save_pretrained(folder)
    byte_tokenizer().save_pretrained(folder)
    return folder


async def replies_of(name: str) -> list[Reply]:
    """What a served model answers to all prompts at once."""
    requests = [
        GenerationRequest(name, (Message(Role.USER, prompt),), PARAMS) for prompt in PROMPTS
    ]
    return await asyncio.gather(*map(client.complete_reply, requests))


def texts(answers: list[list[int]]) -> list[str]:
    return [byte_tokenizer().decode(tokens, skip_special_tokens=True) for tokens in answers]


def test_an_encoder_decoder_is_served(tmp_path: Path) -> None:
    model = random_encoder_decoder("t5 (gated)")
    tokenizer = byte_tokenizer()
    own = [own_answer(model, prompt_ids(tokenizer, prompt)) for prompt in PROMPTS]
    folder = saved(model, tmp_path / "flan")

    with hold_model(ModelSpec(str(folder), ("flan",), device="cpu"), say=print) as held:
        replies = asyncio.run(replies_of("flan"))

    assert held.architecture == "t5"
    assert held.context_length == 2048
    assert "encoder-decoder runner" in held.description
    assert [reply.text for reply in replies] == texts(own)
    assert {reply.finish_reason for reply in replies} == {FinishReason.LENGTH}
    assert replies[0].usage.prompt_tokens == len(prompt_ids(tokenizer, PROMPTS[0]))


def test_a_model_with_states_instead_of_keys_is_served(tmp_path: Path) -> None:
    model = model_of("mamba")
    with torch.inference_mode():
        own = [naive_greedy(model, byte_tokenizer(), prompt, 16) for prompt in PROMPTS]
    folder = saved(model, tmp_path / "mamba")

    with hold_model(ModelSpec(str(folder), ("mamba",), device="cpu"), say=print) as held:
        replies = asyncio.run(replies_of("mamba"))

    assert held.architecture == "mamba"
    assert "plain (whole prompts) runner" in held.description
    assert [reply.text for reply in replies] == texts(own)
