"""The loop of a terminal chat: read a line, obey it or have it answered, show what comes."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Protocol

from chat.exceptions import SavedConversationError
from chat.terminal.conversation import TerminalConversation
from chat.terminal.saved import load_conversation, path_to_load, path_to_save, save_conversation
from chat.terminal.screen import LONGEST_INPUT, Screen
from inference.exceptions import GenerationFailedError, InferenceError
from inference.generation import Delta, Usage
from inference.messages import Message, Role


class Respondent(Protocol):
    """Whoever answers: a model in this process, or one behind a server."""

    @property
    def template_name(self) -> str:
        """The chat template by which the model reads."""

    def reply(self, messages: Sequence[Message]) -> AsyncGenerator[Delta, None]:
        """Yield the answer to a conversation.

        Raises:
            InferenceError: there is none.
        """

    def prompt_text(self, messages: Sequence[Message]) -> str | None:
        """Return the text the model reads for a conversation; None where nobody can tell."""


class TerminalChat:
    """One user, one model, one screen.

    Args:
        respondent: answers.
        screen: reads and shows.
        conversation: what was said so far.
        has_history: whether a prompt goes on from the ones before.
        is_debugging: whether every answer is followed by its prompt and speed, as JSON.
    """

    def __init__(
        self,
        respondent: Respondent,
        screen: Screen,
        conversation: TerminalConversation,
        *,
        has_history: bool = True,
        is_debugging: bool = False,
    ) -> None:
        self._respondent = respondent
        self._screen = screen
        self._conversation = conversation
        self._has_history = has_history
        self._is_debugging = is_debugging

    def run(self) -> None:
        """Chat until `!!exit`, an empty line, the end of the input, or Ctrl-C at the prompt."""
        while text := self._read():
            word, _, argument = text.partition(" ")
            command = COMMANDS.get(word)
            question = text if command is None else command(self, argument.strip())
            if question is not None:
                self._answer(question)
        self._screen.say("exit...")

    def _read(self) -> str:
        """Return the next line that is not empty and not `!!exit`; "" where there is none."""
        if not self._has_history:
            self._conversation.reset()
        try:
            text = self._screen.read(self._conversation.speaker(Role.USER))
            while len(text) > LONGEST_INPUT:
                self._screen.say(f"error: a message may have {LONGEST_INPUT} characters")
                text = self._screen.read(self._conversation.speaker(Role.USER))
        except (EOFError, KeyboardInterrupt):
            return ""
        # What a terminal sent as half a character can be encoded nowhere.
        text = text.encode("utf-8", "replace").decode("utf-8")
        return "" if text == "!!exit" else text

    def _answer(self, question: str) -> None:
        """Have a question answered; a failed or stopped answer leaves no trace of it."""
        self._conversation.add(Role.USER, question)
        try:
            answer = asyncio.run(self._stream())
        except KeyboardInterrupt:
            self._screen.say("stopped generation.")
            self._conversation.take_back_question()
            self._show_all()
        except InferenceError as error:
            self._screen.say(f"error: {error}")
            self._conversation.take_back_question()
        else:
            self._conversation.add(Role.ASSISTANT, answer)

    async def _stream(self) -> str:
        """Show an answer as it comes and return it."""
        messages = self._conversation.prompt()
        began = time.perf_counter()
        pieces: list[str] = []
        usage: Usage | None = None
        with self._screen.answering(self._conversation.speaker(Role.ASSISTANT)) as write:
            async with aclosing(self._respondent.reply(messages)) as deltas:
                async for delta in deltas:
                    pieces.append(delta.text)
                    write(delta.text)
                    usage = delta.usage or usage
                    if delta.failure is not None:
                        raise GenerationFailedError(
                            code=delta.failure.code, message=delta.failure.message
                        )
        answer = "".join(pieces).strip()
        if self._is_debugging:
            self._tell(messages, answer, usage, time.perf_counter() - began)
        return answer

    def _tell(
        self, messages: list[Message], answer: str, usage: Usage | None, duration_s: float
    ) -> None:
        """Show what the model read and wrote, and how fast."""
        rate = None if usage is None else round(usage.completion_tokens / max(duration_s, 1e-9), 2)
        facts = {
            "conv_template": self._respondent.template_name,
            "prompt": self._respondent.prompt_text(messages),
            "outputs": answer,
            "speed (token/s)": rate,
        }
        self._screen.say(f"\n{json.dumps(facts, ensure_ascii=False)}\n")

    def _show_all(self) -> None:
        """Show the conversation again from its beginning."""
        for said in self._conversation.messages:
            self._screen.show(self._conversation.speaker(said.role), said.content)

    # Commands return a question to answer, or None.

    def reset(self, _: str) -> str | None:
        """Begin a new conversation."""
        self._screen.say("resetting...")
        self._conversation.reset()
        return None

    def remove(self, _: str) -> str | None:
        """Take the last turn back."""
        if not self._conversation.messages:
            self._screen.say("No messages to remove.")
            return None
        self._screen.say("removing last message...")
        self._conversation.take_back_answer()
        self._conversation.take_back_question()
        self._show_all()
        return None

    def regenerate(self, _: str) -> str | None:
        """Take the last answer back and return its question."""
        if not self._conversation.messages:
            self._screen.say("No messages to regenerate.")
            return None
        self._screen.say("regenerating last message...")
        self._conversation.take_back_answer()
        if self._conversation.messages:
            self._show_all()
        question = self._conversation.take_back_question()
        if question is None:
            self._screen.say("No user message to regenerate from.")
        return question

    def save(self, name: str) -> str | None:
        """Write the conversation to a file."""
        if not name:
            self._screen.say("usage: !!save <filename>")
            return None
        path = path_to_save(name)
        self._screen.say(f"saving... {path}")
        try:
            save_conversation(self._conversation, path)
        except SavedConversationError as error:
            self._screen.say(f"error: {error}")
        return None

    def load(self, name: str) -> str | None:
        """Go on with the conversation of a file."""
        if not name:
            self._screen.say("usage: !!load <filename>")
            return None
        path = path_to_load(name)
        if path is None:
            self._screen.say(f"file not found: {name}")
            return None
        self._screen.say(f"loading... {path}")
        try:
            system, messages = load_conversation(path)
        except SavedConversationError as error:
            self._screen.say(f"error: {error}")
            return None
        self._conversation.replace(system, messages)
        self._show_all()
        return None


COMMANDS: dict[str, Callable[[TerminalChat, str], str | None]] = {
    "!!reset": TerminalChat.reset,
    "!!remove": TerminalChat.remove,
    "!!regen": TerminalChat.regenerate,
    "!!save": TerminalChat.save,
    "!!load": TerminalChat.load,
}
