"""What every server of the API's benchmark answers with: one script, as it is paced for a task."""

from dataclasses import dataclass
from itertools import pairwise

from inference.generation import GenerationRequest
from inference.messages import Message, Role
from inference.providers.scripted import Script

MODEL = "script"
TOKENS_PER_S = 30  # of one stream: faster than anybody reads, as a model under load answers
VARIABLE = "FASTCHAT_BENCHMARK_SCRIPT"  # tells a server's process which script to follow
SCRIPTS = {
    "paced": Script(token_delay_s=1 / TOKENS_PER_S),
    "silent": Script(fail_after_tokens=1, fault="hang"),  # one token, then nothing any more
}


@dataclass(frozen=True, slots=True)
class Reading:
    """When one answer came.

    Attributes:
        text: the answer.
        start_s: when it was asked for.
        times_s: when the pieces of its text came, in order.
    """

    text: str
    start_s: float
    times_s: tuple[float, ...]

    @property
    def first_s(self) -> float:
        """The wait for the first piece."""
        return self.times_s[0] - self.start_s

    @property
    def gaps_s(self) -> list[float]:
        """The waits between pieces; a server that tells several tokens at once has longer ones."""
        return [later - earlier for earlier, later in pairwise(self.times_s)]


def prompt_of(stream: int, repetition: int) -> str:
    """Return what a stream asks; each prompt has an answer of its own."""
    return f"Question {repetition} of reader {stream}: what is worth knowing about the sea?"


def request_of(prompt: str) -> GenerationRequest:
    """Return the request that the script answers."""
    return GenerationRequest(MODEL, (Message(Role.USER, prompt),))
