"""What of a conversation is closed, and what its assistant has begun to say."""

from collections.abc import Sequence

from inference.exceptions import InvalidRequestError
from inference.messages import Message, Role


def split_begun(
    messages: Sequence[Message], *, add_generation_prompt: bool
) -> tuple[list[Message], str]:
    """Return the closed messages and what the assistant has begun to say, "" for nothing.

    Without a generation prompt all messages are closed.

    Raises:
        InvalidRequestError: there is no message, or nobody has spoken to the assistant.
    """
    if not messages:
        raise InvalidRequestError("a conversation needs at least one message", param="messages")
    if not add_generation_prompt or messages[-1].role is not Role.ASSISTANT:
        return list(messages), ""
    *closed, last = messages
    if not closed:
        raise InvalidRequestError("nobody has spoken to the assistant yet", param="messages")
    return closed, last.content
