"""A byte-level BPE tokenizer of our own, small enough for models that are trained from scratch.

Three choices matter more than the size of the vocabulary:

- every segment gets one space in front, so that a word is the same token at the start of a
  sentence and inside it (the decoder takes the space away again, and the round trip is exact);
- digits and Chinese characters stand alone, so that 15 is always 1 and 5;
- it works on bytes, so any text is legal and nothing is ever unknown.
"""

from collections.abc import Iterable
from pathlib import Path

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BEGIN = "<|begin|>"
END_OF_TURN = "<|end|>"
PADDING = "<|pad|>"
SPECIAL_TOKENS = (
    PADDING,
    BEGIN,
    END_OF_TURN,
    "<|system|>",
    "<|user|>",
    "<|assistant|>",
    "<|tool|>",
)
PIECES = Regex(
    r"\p{Han}"  # one Chinese character
    r"|\p{N}"  # one digit
    r"| ?[^\s\p{L}\p{M}\p{N}]+"  # a run of marks
    r"| ?(?:(?!\p{Han})[\p{L}\p{M}])+"  # a word
    r"|\s+(?!\S)|\s"  # white space; the last space goes with the word after it
)
CHAT_TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def train_tokenizer(
    texts: Iterable[str], *, vocab_size: int, max_length: int
) -> PreTrainedTokenizerFast:
    """Train a tokenizer on texts and give it the chat template.

    Args:
        texts: what users and assistants say, without any template around it.
        vocab_size: most tokens, the 256 bytes and the special tokens included.
        max_length: context window of the model it is for, in tokens.

    Returns:
        A tokenizer whose `apply_chat_template` writes a dialogue and whose end of sequence is
        the end of a turn.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Prepend(" ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(PIECES, behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        min_frequency=2,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END_OF_TURN,
        pad_token=PADDING,
        additional_special_tokens=[
            token for token in SPECIAL_TOKENS if token not in (BEGIN, END_OF_TURN, PADDING)
        ],
        chat_template=CHAT_TEMPLATE.read_text(encoding="utf-8"),
        clean_up_tokenization_spaces=False,
        model_max_length=max_length,
        padding_side="right",
    )
