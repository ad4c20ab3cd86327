"""What a visitor may do wrong in a chat, or be refused.

    ChatError
    ├── InvalidEventError             an event of the socket that cannot be read
    ├── EmptyPromptError
    ├── PromptTooLongError
    ├── InvalidParameterError         a sampling parameter out of its range
    ├── TurnLimitError                the conversation is long enough
    ├── TurnRunningError              the answer before is not finished
    ├── TooManyOpenTurnsError         the visitor has too many answers running
    ├── NothingToAnswerError          there is no prompt to answer again
    ├── ConversationNotFoundError     no such conversation, or not yours
    ├── RateLimitedError              too fast; carries `retry_after_s`
    ├── SavedConversationError        a file of the terminal chat cannot be written or read
    └── BannedError

`code` is stable and goes to programs; the message goes to people.
"""


class ChatError(Exception):
    """Anything a chat refuses."""

    code = "chat_error"


class InvalidEventError(ChatError):
    """An event that is not JSON, not known, too large, or has the wrong types."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class EmptyPromptError(ChatError):
    """There is nothing to answer."""

    code = "empty_prompt"

    def __init__(self) -> None:
        super().__init__("the prompt is empty")


class PromptTooLongError(ChatError):
    """The prompt has more characters than are taken."""

    code = "prompt_too_long"

    def __init__(self, *, prompt_chars: int, limit_chars: int) -> None:
        super().__init__(f"the prompt has {prompt_chars} characters, {limit_chars} are allowed")
        self.limit_chars = limit_chars


class InvalidParameterError(ChatError):
    """A sampling parameter is unknown, of the wrong type or out of range."""

    code = "invalid_parameter"


class TurnLimitError(ChatError):
    """The conversation has as many turns as are allowed."""

    code = "turn_limit"

    def __init__(self, limit_count: int) -> None:
        super().__init__(f"a conversation takes {limit_count} prompts; start a new one")


class TurnRunningError(ChatError):
    """The answer before has to finish or be stopped first."""

    code = "turn_running"

    def __init__(self) -> None:
        super().__init__("the last answer is still being written")


class TooManyOpenTurnsError(ChatError):
    """The visitor has too many answers running at the same time."""

    code = "too_many_open_turns"

    def __init__(self, limit_count: int) -> None:
        super().__init__(f"{limit_count} answers are being written for you; wait for one to end")


class NothingToAnswerError(ChatError):
    """No prompt stands at the end of the conversation."""

    code = "nothing_to_answer"

    def __init__(self) -> None:
        super().__init__("there is no answer to write again")


class ConversationNotFoundError(ChatError):
    """There is no such conversation, or it belongs to somebody else."""

    code = "conversation_not_found"

    def __init__(self) -> None:
        super().__init__("there is no such conversation")


class RateLimitedError(ChatError):
    """Too many of something in too short a time."""

    code = "rate_limited"

    def __init__(self, *, retry_after_s: int) -> None:
        super().__init__(f"that is too fast; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class SavedConversationError(ChatError):
    """A conversation cannot be written to a file, or a file holds none."""

    code = "saved_conversation"


class BannedError(ChatError):
    """A moderator keeps this visitor out."""

    code = "banned"

    def __init__(self) -> None:
        super().__init__("you cannot take part at the moment")
