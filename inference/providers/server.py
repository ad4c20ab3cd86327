"""A server elsewhere that answers for a model: an `Endpoint` as plain data, without its secret."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference.generation import GenerationRequest, SamplingParams
from inference.messages import Message, Role
from inference.providers.wire.faults import fault

DEFAULT_PARAMS = SamplingParams()
KEY_WORDS = frozenset({"KEY", "KEYS", "TOKEN", "CREDENTIALS", "APIKEY"})
SITE_WORDS = frozenset({"SECRET", "METRICS", "PASSWORD", "DATABASE", "REDIS", "DJANGO"})


def can_hold_key(variable: str) -> bool:
    """Tell whether an environment variable is meant for a server's key, by its name.

    Who may edit endpoints names the variable and the address, and must not be able to send what
    else the environment holds, such as the site's own secrets, to an address of their choice.
    """
    words = set(variable.split("_"))
    return bool(words & KEY_WORDS) and not words & SITE_WORDS


def is_key_there(variable: str) -> bool:
    """Tell whether an environment variable holds a key; an empty name needs none."""
    return not variable or bool(os.environ.get(variable, "").strip())


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how a model is asked for.

    Attributes:
        model: name of the model here.
        dialect: key of the table in `dialects`.
        url: base address; what follows it is the dialect's business.
        name_there: what the server calls the model.
        key_variable: environment variable that holds the key; empty where none is needed.
        takes_images: whether images in a conversation are sent along.
        system_prompt: said first where a conversation has no system message.
        fixed_temperature: sent whatever a request wants; None leaves requests their choice.
        extra_body: fields added to every request, in the server's words; ours win.
        options: what else the dialect needs, such as an API version; its `options` name them.
        dropped_params: parameters the server does not take and that may be left out silently.
        endpoint_id: primary key of the record; 0 for a server that has none.
        slots: answers it may write at the same time.
        requests_per_minute: most requests a minute; 0 sets no limit.
    """

    model: str
    dialect: str
    url: str
    name_there: str
    key_variable: str = ""
    takes_images: bool = True
    system_prompt: str = ""
    fixed_temperature: float | None = None
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    dropped_params: frozenset[str] = frozenset()
    endpoint_id: int = 0
    slots: int = 16
    requests_per_minute: int = 0

    @property
    def has_key(self) -> bool:
        """Whether a key is needed and there, or none is needed."""
        return is_key_there(self.key_variable)

    def key(self) -> str:
        """Return the key, read anew each time; empty where none is needed.

        Raises:
            ProviderError: the variable is not set, or holds what cannot stand in a header.
        """
        if not self.key_variable:
            return ""
        key = os.environ.get(self.key_variable, "").strip()
        if not key:
            raise fault("provider_key_rejected", f"{self.key_variable} is not set")
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise fault("provider_key_rejected", f"{self.key_variable} holds odd characters")
        return key

    def hide_key(self, text: str) -> str:
        """Return a text from the server without our key, should it quote it."""
        key = os.environ.get(self.key_variable, "").strip() if self.key_variable else ""
        return text.replace(key, "***") if key else text

    def adapt(self, request: GenerationRequest) -> GenerationRequest:
        """Return the request with this server's prompt and parameters."""
        messages, params = request.messages, request.params
        if self.system_prompt and not any(entry.role is Role.SYSTEM for entry in messages):
            messages = (Message(Role.SYSTEM, self.system_prompt), *messages)
        if self.fixed_temperature is not None:
            params = replace(params, temperature=self.fixed_temperature)
        return replace(request, messages=messages, params=params)
