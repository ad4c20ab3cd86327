"""What was said in a terminal, and by which template it is named and saved."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from inference.chat_templates.families import ChatTemplate
from inference.messages import Message, Role

MARKUP = re.compile(r"<[^>]*>|\[[^\]]*\]|[#:|]")
SPEAKERS = {Role.USER: "User", Role.ASSISTANT: "Assistant"}
"""Names for speakers whose template has only control tokens for them."""


@dataclass(slots=True)
class TerminalConversation:
    """A conversation that can be taken back turn by turn.

    Attributes:
        template: names the speakers, here and in saved files.
        initial_system: the system message a new conversation starts with; "" for none.
        system: the one of this conversation.
        messages: what user and assistant said in turns.
    """

    template: ChatTemplate
    initial_system: str = ""
    system: str = field(init=False)
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start with the initial system message."""
        self.system = self.initial_system

    def prompt(self) -> list[Message]:
        """Return what the model is to answer: the system message, then what was said."""
        system = [Message(Role.SYSTEM, self.system)] if self.system else []
        return [*system, *self.messages]

    def add(self, role: Role, text: str) -> None:
        """Let somebody say something."""
        self.messages.append(Message(role, text))

    def reset(self) -> None:
        """Forget everything and start as a new conversation."""
        self.system = self.initial_system
        self.messages.clear()

    def replace(self, system: str, messages: Iterable[Message]) -> None:
        """Go on with another conversation."""
        self.system = system
        self.messages = list(messages)

    def take_back_answer(self) -> None:
        """Drop the assistant's last message, where it is the last one."""
        self._take_back(Role.ASSISTANT)

    def take_back_question(self) -> str | None:
        """Drop the user's last message and return it; None where it is not the last one."""
        return self._take_back(Role.USER)

    def _take_back(self, role: Role) -> str | None:
        if not self.messages or self.messages[-1].role is not role:
            return None
        return self.messages.pop().content

    def speaker(self, role: Role) -> str:
        """Return what a speaker is called on the screen: the template's word, without markup."""
        return spoken_name(self.template.roles[role is Role.ASSISTANT]) or SPEAKERS[role]


def spoken_name(role: str) -> str:
    """Return a template's name for a speaker without control tokens and markup."""
    return MARKUP.sub("", role).strip()
