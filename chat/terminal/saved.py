"""Conversations in files, in the JSON layout that FastChat's terminal chat reads and writes."""

import json
from pathlib import Path
from typing import Any

from chat.exceptions import SavedConversationError
from chat.terminal.conversation import TerminalConversation
from inference.messages import Message, Role

LARGEST_FILE_BYTES = 16 * 1024 * 1024
USER_WORDS = frozenset({"user", "human"})
ASSISTANT_WORDS = frozenset({"assistant", "gpt", "ai", "bot"})


def path_to_save(name: str) -> Path:
    """Return where to save: `.json` is added to a name without a dot."""
    return Path(name if "." in name else f"{name}.json").expanduser()


def path_to_load(name: str) -> Path | None:
    """Return the file of that name, or of that name with `.json`; None where neither exists."""
    candidates = (Path(name).expanduser(), Path(f"{name}.json").expanduser())
    return next((path for path in candidates if path.is_file()), None)


def save_conversation(conversation: TerminalConversation, path: Path) -> None:
    """Write a conversation.

    Raises:
        SavedConversationError: the file cannot be written.
    """
    user, assistant = conversation.template.roles
    names = {Role.USER: user, Role.ASSISTANT: assistant}
    data = {
        "template_name": conversation.template.name,
        "system_message": conversation.system,
        "roles": [user, assistant],
        "messages": [[names[said.role], said.content] for said in conversation.messages],
        "offset": 0,
    }
    try:
        path.write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SavedConversationError(f"{path} cannot be written: {error}") from error


def load_conversation(path: Path) -> tuple[str, list[Message]]:
    """Read a conversation; examples that its template put in front are left out.

    Returns:
        The system message, and what user and assistant said.

    Raises:
        SavedConversationError: the file cannot be read, or holds no conversation.
    """
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise SavedConversationError(f"{path} has more than {LARGEST_FILE_BYTES} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SavedConversationError(f"{path} cannot be read: {error}") from error
    try:
        return _read(data)
    except (KeyError, TypeError, ValueError) as error:
        raise SavedConversationError(f"{path} holds no saved conversation: {error}") from error


def _read(data: Any) -> tuple[str, list[Message]]:
    """Take the parts out of a file's data."""
    roles, offset = list(data["roles"]), data.get("offset", 0)
    if len(roles) != 2 or not isinstance(offset, int) or offset < 0:
        raise ValueError("it needs two roles and an offset of 0 or more")
    messages = []
    for index, (name, text) in enumerate(data["messages"][offset:]):
        if text is None:  # a slot that was never filled
            continue
        if not isinstance(text, str):
            raise ValueError(f"message {index} is not a text")
        messages.append(Message(_role_of(name, roles, index), text))
    system = data.get("system_message", "")
    if not isinstance(system, str):
        raise ValueError("the system message is not a text")
    return system, messages


def _role_of(name: Any, roles: list[Any], index: int) -> Role:
    """Tell who speaks by the file's own names, else by the usual ones."""
    if name in roles:  # a template without names lets both speak in turns
        position = index % 2 if roles[0] == roles[1] else roles.index(name)
        return (Role.USER, Role.ASSISTANT)[position]
    word = str(name).lower()
    if word in USER_WORDS:
        return Role.USER
    if word in ASSISTANT_WORDS:
        return Role.ASSISTANT
    raise ValueError(f"nobody is called {name!r}")
