"""Ask a model something and show how fast it answers."""

import asyncio
import time
from argparse import ArgumentParser
from contextlib import aclosing
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inference.client import close_client, stream_reply
from inference.exceptions import InferenceError
from inference.generation import GenerationRequest, SamplingParams, Usage
from inference.messages import Message, Role


class Command(BaseCommand):
    """Sends one message through queue, worker and bus."""

    help = (
        "Send one message to a live model and print its answer, the time to the first token and"
        " the tokens per second. It needs REDIS_URL: the embedded mode lives inside `serve`."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Example: manage.py ping_model demo-large --message 你好"
        parser.add_argument("name", help="name the model is served under")
        parser.add_argument("--message", default="Tell me a story with more than 100 words.")
        parser.add_argument("--max-tokens", type=int, default=32)
        parser.add_argument("--temperature", type=float, default=0.0)
        parser.add_argument("--timeout", type=float, default=60.0, help="most seconds to wait")

    def handle(self, **options: Any) -> None:
        """Ask, print, measure."""
        try:
            asyncio.run(self.ask(options))
        except InferenceError as error:
            raise CommandError(str(error)) from error
        except TimeoutError as error:
            raise CommandError(f"no answer within {options['timeout']:.0f} s") from error
        finally:
            close_client()

    async def ask(self, options: dict[str, Any]) -> None:
        """Stream one answer to the screen.

        Raises:
            CommandError: the answer broke off.
        """
        params = SamplingParams(
            temperature=options["temperature"], max_tokens=options["max_tokens"]
        )
        messages = (Message(Role.USER, options["message"]),)
        request = GenerationRequest(options["name"], messages, params)
        began = time.perf_counter()
        first: float | None = None
        async with (
            asyncio.timeout(options["timeout"]),
            aclosing(stream_reply(request)) as deltas,
        ):
            async for delta in deltas:
                first = first or time.perf_counter()
                self.stdout.write(delta.text, ending="")
                self.stdout.flush()
                if delta.failure is not None:
                    raise CommandError(f"{delta.failure.code}: {delta.failure.message}")
                if delta.is_last:
                    self.report(began, first, delta.usage or Usage(0, delta.next_seq))

    def report(self, began: float, first: float, usage: Usage) -> None:
        """Print what was measured."""
        now = time.perf_counter()
        rate = usage.completion_tokens / max(now - began, 1e-9)
        self.stdout.write(
            f"\n{usage.completion_tokens} tokens, first after {first - began:.3f} s,"
            f" {rate:.1f} tokens/s"
        )
