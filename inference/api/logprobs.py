"""How likely tokens were, as chats and as raw completions tell it.

Source: OpenAI's API reference, "logprobs" of the chat completion object and of the completion
object.
"""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from inference.generation import Delta, FinishReason, LikelyToken, TokenScore

# JSON has no minus infinity; OpenAI writes this for what cannot come.
LOWEST_LOGPROB = -9999.0


def shown_scores(delta: Delta) -> tuple[TokenScore, ...]:
    """Return the scores of the tokens a program sees: all but one that only ends the answer."""
    is_end = delta.finish_reason is FinishReason.STOP
    if is_end and delta.scores and not delta.pieces[-1]:
        return delta.scores[:-1]
    return delta.scores


def chat_logprobs(scores: Sequence[TokenScore]) -> dict[str, Any]:
    """Return the object of a chat's choice."""
    content = [
        _token_object(score.token)
        | {"top_logprobs": [_token_object(likely) for likely in score.top]}
        for score in scores
    ]
    return {"content": content, "refusal": None}


def text_logprobs(
    scores: Sequence[TokenScore | None],
    places: Sequence[int],
    *,
    top_count: int,
    unscored: str = "",
) -> dict[str, Any]:
    """Return the object of a raw completion's choice: lists with one entry a token.

    Args:
        scores: of every token; None for the first of a prompt, which follows nothing.
        places: where in the choice's text each token begins, in characters.
        top_count: how many of the likeliest are told; the token itself is always among them.
        unscored: text of the token without a score.
    """
    return {
        "tokens": [unscored if score is None else token_name(score.token) for score in scores],
        "token_logprobs": [None if score is None else finite(score.token) for score in scores],
        "top_logprobs": [
            None if score is None else _likeliest(score, top_count) for score in scores
        ],
        "text_offset": list(places),
    }


def places_of(texts: Sequence[str], *, start: int = 0) -> list[int]:
    """Return where each of these texts begins when they stand one after the other."""
    return list(accumulate(map(len, texts), initial=start))[: len(texts)]


def token_name(token: LikelyToken) -> str:
    """Return a token's text; one that holds a part of a character is written in bytes."""
    if token.raw == token.text.encode():
        return token.text
    return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token.raw)


def finite(token: LikelyToken) -> float:
    """Return a log-probability JSON can hold."""
    return max(token.logprob, LOWEST_LOGPROB)


def _likeliest(score: TokenScore, top_count: int) -> dict[str, float]:
    told = {token_name(likely): finite(likely) for likely in score.top[:top_count]}
    return told | {token_name(score.token): finite(score.token)}


def _token_object(token: LikelyToken) -> dict[str, Any]:
    return {"token": token.text, "logprob": finite(token), "bytes": list(token.raw)}
