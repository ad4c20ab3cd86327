"""Load a model, ask it once, print the answer."""

import asyncio
import logging
import signal
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from inference.client import complete_reply
from inference.generation import GenerationRequest
from inference.in_process import ModelSpec, default_name, hasten_exit, hold_model
from inference.management.bad_input import refusals
from inference.management.model_arguments import add_model_arguments, spec_options
from inference.management.sampling_arguments import add_sampling_arguments, sampling_params
from inference.messages import Message, Role

INTERRUPTED = 128 + signal.SIGINT


class Command(BaseCommand):
    """One message, one answer; FastChat's `huggingface_api`."""

    help = (
        "Load a model into this process, send it one message, and print message and answer. Reads"
        " the model's files and writes nothing."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Example: manage.py hf_generate --model-path /models/my-model --message Hi"
        parser.add_argument(
            "--model-path", required=True, metavar="PATH_OR_ID", help="folder or hub id"
        )
        parser.add_argument("--message", default="Hello! Who are you?")
        parser.add_argument(
            "--debug", action="store_true", help="print the model and the prompt it reads"
        )
        add_model_arguments(parser)
        add_sampling_arguments(parser, max_new_tokens=1024)
        parser.set_defaults(max_batch=1)

    def handle(self, **options: Any) -> None:
        """Load, ask, print."""
        if not options["debug"] and options["verbosity"] < 2:
            logging.getLogger().setLevel(logging.WARNING)
        try:
            with refusals():
                self.ask(options)
        except KeyboardInterrupt:
            self.say("Stopped.")
            raise SystemExit(INTERRUPTED) from None
        finally:
            hasten_exit()

    def ask(self, options: dict[str, Any]) -> None:
        """Print the message, and the answer of the model."""
        path = options["model_path"]
        spec = ModelSpec(path, (default_name(path),), **spec_options(options))
        messages = (Message(Role.USER, options["message"]),)
        with hold_model(spec, say=self.say) as model:
            params = sampling_params(
                options, context_length=model.context_length, architecture=model.architecture
            )
            if options["debug"]:
                self.say(f"{model.name} ({model.architecture}) on {model.description}")
                self.say(model.prompt_text(messages))
            reply = asyncio.run(complete_reply(GenerationRequest(model.name, messages, params)))
        self.stdout.write(f"{Role.USER}: {options['message']}")
        self.stdout.write(f"{Role.ASSISTANT}: {reply.text.strip()}")

    def say(self, text: str) -> None:
        """Tell of progress, apart from the answer."""
        self.stderr.write(text, style_func=str)
        self.stderr.flush()
