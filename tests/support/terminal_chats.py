"""A terminal chat without a terminal: lines that are typed beforehand, and a scripted model."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager

from chat.terminal.conversation import TerminalConversation
from chat.terminal.screen import Writer
from chat.terminal.session import TerminalChat
from inference.chat_templates.families import family_named
from inference.generation import Delta, Failure, FinishReason, Usage
from inference.messages import Message


class TypedScreen:
    """Reads what it was given, keeps what it is shown."""

    def __init__(self, typed: Sequence[str]) -> None:
        self._typed = list(typed)
        self.lines: list[str] = []

    def read(self, speaker: str) -> str:
        """Return the next line; an exception among them is raised."""
        del speaker
        if not self._typed:
            raise EOFError
        return self._typed.pop(0)

    @contextmanager
    def answering(self, speaker: str) -> Iterator[Writer]:
        """Keep an answer as one line."""
        pieces: list[str] = []
        try:
            yield pieces.append
        finally:
            self.lines.append(f"{speaker}> {''.join(pieces)}")

    def show(self, speaker: str, text: str) -> None:
        """Keep a message."""
        self.lines.append(f"{speaker}: {text}")

    def say(self, text: str) -> None:
        """Keep a line."""
        self.lines.append(text)


class CountingModel:
    """Answers with the number of its answer and the last thing that was said.

    Said "break", it fails after a piece; said "interrupt", Ctrl-C is pressed after one.
    """

    template_name = "plain"

    def __init__(self) -> None:
        self.asked: list[list[Message]] = []

    async def reply(self, messages: Sequence[Message]) -> AsyncGenerator[Delta, None]:
        """Yield two pieces."""
        self.asked.append(list(messages))
        said = messages[-1].content
        yield Delta(0, (f"{len(self.asked)} ",))
        if said == "interrupt":
            raise KeyboardInterrupt
        if said == "break":
            failure = Failure("worker_lost", "the worker is gone")
            yield Delta(1, (), FinishReason.ERROR, failure=failure)
            return
        yield Delta(1, (said,), FinishReason.STOP, Usage(3, 2))

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """Show the conversation in one line."""
        return " | ".join(message.content for message in messages)


def chat_about(*typed: str, system: str = "", **options: bool) -> tuple[TypedScreen, CountingModel]:
    """Chat to the end and return the screen and the model."""
    screen, model = TypedScreen(typed), CountingModel()
    conversation = TerminalConversation(family_named("vicuna_v1.1"), system)
    TerminalChat(model, screen, conversation, **options).run()
    return screen, model
