"""Single tokens are written out with their exact bytes, whatever the kind of vocabulary."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from inference.demo_models import demo_model_folders
from inference.engine.logprobs import TokenLogprobs
from inference.engine.token_texts import TokenTexts, byte_alphabet
from inference.generation import LikelyToken, TokenScore


def sentencepiece_like() -> PreTrainedTokenizerFast:
    """A vocabulary of a few words, and bytes for all the rest."""
    words = ["<unk>", "</s>", "▁", "▁the", "▁cat", "s"]
    vocabulary = {word: index for index, word in enumerate(words)}
    vocabulary |= {f"<0x{byte:02X}>": len(words) + byte for byte in range(256)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="</s>")


def test_the_alphabet_has_a_letter_for_every_byte():
    alphabet = byte_alphabet()

    assert sorted(alphabet.values()) == list(range(256))
    assert alphabet["Ġ"] == ord(" ")
    assert alphabet["Ċ"] == ord("\n")


@pytest.mark.parametrize("text", ["Hello 世界 👋!", "naïve\n\tﷺ", "  two  spaces"])
def test_the_bytes_of_tokens_put_together_are_the_text(tokenizer, text):
    demo = AutoTokenizer.from_pretrained(demo_model_folders()["demo-small"])
    for one in (tokenizer, demo):
        texts = TokenTexts(one)

        raw = b"".join(texts.written(token)[1] for token in one.encode(text))

        # Some put a beginning or a space in front.
        assert raw.decode().removeprefix("<|begin|>").lstrip(" ") == text.lstrip(" ")


def test_half_a_character_shows_as_such_and_keeps_its_byte():
    tokenizer = sentencepiece_like()
    texts = TokenTexts(tokenizer)
    byte = tokenizer.convert_tokens_to_ids("<0xE4>")
    word = tokenizer.convert_tokens_to_ids("▁cat")

    assert texts.written(byte) == ("\N{REPLACEMENT CHARACTER}", b"\xe4")
    assert texts.written(word) == (" cat", b" cat")
    assert texts.written(tokenizer.eos_token_id) == ("</s>", b"</s>")


def test_a_token_the_tokenizer_lacks_is_no_text(tokenizer):
    assert TokenTexts(tokenizer).written(len(tokenizer) + 7) == ("", b"")


def test_scores_name_their_tokens():
    texts = TokenTexts(sentencepiece_like())

    score = texts.score(TokenLogprobs(3, -0.5, top=((3, -0.5), (4, -1.0))))

    the, cat = LikelyToken(" the", b" the", -0.5), LikelyToken(" cat", b" cat", -1.0)
    assert score == TokenScore(the, (the, cat))
