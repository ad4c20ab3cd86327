"""A router of prompts: OpenAI's chat completions, whose first chunk tells who answers.

Source:
    Frick et al. 2025, "Prompt-to-Leaderboard", and the server in its repository:
    https://github.com/lmarena/p2l
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import ClassVar

from inference.providers.chat_completions import pieces_of
from inference.providers.dialect import Piece
from inference.providers.openai import DONE, OpenAIDialect
from inference.providers.wire.response import WireResponse, parse_object


class P2L(OpenAIDialect):
    """The router; the model it chose goes to the log, never to the reader."""

    needs_key: ClassVar[bool] = False
    takes_tools: ClassVar[bool] = False

    async def read(self, response: WireResponse) -> AsyncGenerator[Piece, None]:
        """Yield the pieces of an answer, the first with the chosen model; see `Dialect.read`."""
        response.expect("text/event-stream")
        is_first = True
        async with aclosing(response.events()) as events:
            async for event in events:
                if event.data.strip() == DONE:
                    return
                chunk = parse_object(event.data)
                if is_first and (model := chunk.get("model")):
                    yield Piece(written_by=str(model)[:200])
                is_first = False
                for piece in pieces_of(chunk):
                    yield piece
