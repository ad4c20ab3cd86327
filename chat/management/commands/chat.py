"""Chat with a model in the terminal: one loaded here, or one behind a server."""

import logging
import os
import signal
import sys
from argparse import ArgumentParser
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import TextIOWrapper
from typing import Any, NoReturn

from django.core.management.base import BaseCommand

from chat.management.chat_arguments import SCREENS, add_chat_arguments
from chat.terminal.conversation import TerminalConversation
from chat.terminal.server import ServerModel, choose_model
from chat.terminal.server_line import base_url
from chat.terminal.session import Respondent, TerminalChat
from inference.chat_templates.families import ChatTemplate, family_for, family_named
from inference.client import stream_reply
from inference.demo_models import demo_model_folders
from inference.exceptions import InvalidRequestError
from inference.generation import Delta, GenerationRequest, SamplingParams
from inference.in_process import HeldModel, ModelSpec, default_name, hasten_exit, hold_model
from inference.management.bad_input import refusals
from inference.management.model_arguments import add_model_arguments, spec_options
from inference.management.sampling_arguments import add_sampling_arguments, sampling_params
from inference.messages import Message

DEMO_MODEL = "demo-large"
NEUTRAL_FAMILY = "zero_shot"
"""Names the speakers of models whose family is not known."""
LOG_FROM_VERBOSITY = 2
TERMINATED = 128 + signal.SIGTERM


class Command(BaseCommand):
    """A chat in the terminal, with the options of FastChat's."""

    help = (
        "Chat with a model in the terminal. The model is loaded into this process (--model-path),"
        " or answers behind an OpenAI-compatible server (--server). In the chat `!!exit` or an"
        " empty line ends, `!!reset` begins anew, `!!remove` takes the last turn back, `!!regen`"
        " answers the last question again, `!!save FILE` and `!!load FILE` keep conversations in"
        " FastChat's JSON; Ctrl-C stops an answer. Reads and writes nothing else."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Example: manage.py chat --model-path lmsys/vicuna-7b-v1.5 --style rich"
        parser.add_argument(
            "--model-path",
            metavar="PATH_OR_ID",
            help=f"model to load: folder or hub id; {DEMO_MODEL}, which comes with the project, if"
            " left (FastChat's default, lmsys/vicuna-7b-v1.5, is a download of 13 GB)",
        )
        parser.add_argument(
            "--server",
            metavar="URL",
            help="ask a running server instead, such as http://127.0.0.1:8000",
        )
        parser.add_argument(
            "--model",
            metavar="NAME",
            help="with --server the name of the model there; else the same as --model-path",
        )
        parser.add_argument(
            "--api-key-variable",
            metavar="VARIABLE",
            help="environment variable with the server's API key; without it none is sent",
        )
        add_model_arguments(parser)
        add_sampling_arguments(parser, max_new_tokens=512)
        add_chat_arguments(parser)
        parser.set_defaults(max_batch=1)

    def handle(self, **options: Any) -> None:
        """Chat until the user ends it."""
        for stream in (sys.stdin, sys.stdout):
            if isinstance(stream, TextIOWrapper):
                stream.reconfigure(errors="replace")
        is_quiet = not options["debug"] and options["verbosity"] < LOG_FROM_VERBOSITY
        with calm_process(logging.WARNING if is_quiet else logging.INFO):
            self.chat(options)

    def chat(self, options: dict[str, Any]) -> None:
        """Chat here or with a server, and leave quietly."""
        try:
            with refusals():
                if options["server"]:
                    self.chat_with_server(options)
                else:
                    self.chat_here(options)
        except KeyboardInterrupt:
            self.say("exit...")
        except BrokenPipeError:  # nobody reads any more; spare the exit a second complaint
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        finally:
            hasten_exit()

    def say(self, text: str) -> None:
        """Tell of progress, apart from the conversation."""
        self.stderr.write(text, style_func=str)
        self.stderr.flush()

    def chat_here(self, options: dict[str, Any]) -> None:
        """Load a model and chat with it."""
        path = options["model_path"] or options["model"] or str(demo_model_folders()[DEMO_MODEL])
        spec = ModelSpec(path, (default_name(path),), **spec_options(options))
        with hold_model(spec, say=self.say) as model:
            if options["debug"]:
                self.say(f"{model.name} ({model.architecture}) on {model.description}")
            template, system = template_of(model)
            params = sampling_params(
                options, context_length=model.context_length, architecture=model.architecture
            )
            params = replace(params, judge_sent_end=options["judge_sent_end"])
            conversation = TerminalConversation(template, options["conv_system_msg"] or system)
            chat(ModelHere(model, params), conversation, options)

    def chat_with_server(self, options: dict[str, Any]) -> None:
        """Chat with a model of a server."""
        if options["model_path"]:
            raise InvalidRequestError("--server has its own models; name one with --model")
        url, api_key = base_url(options["server"]), api_key_of(options["api_key_variable"])
        name = choose_model(url, options["model"] or "", api_key=api_key)
        self.say(f"{name} at {url}")
        model = ServerModel(url, name, sampling_params(options), api_key)
        template = family_for(name) or family_named(NEUTRAL_FAMILY)
        chat(model, TerminalConversation(template, options["conv_system_msg"] or ""), options)


@dataclass(frozen=True, slots=True)
class ModelHere:
    """A model of this process as the chat's respondent."""

    model: HeldModel
    params: SamplingParams

    @property
    def template_name(self) -> str:
        """The family whose template is used, if it is not the model's own."""
        return self.model.template or "the model's own"

    def reply(self, messages: Sequence[Message]) -> AsyncGenerator[Delta, None]:
        """Yield the answer; see `Respondent`."""
        return stream_reply(GenerationRequest(self.model.name, tuple(messages), self.params))

    def prompt_text(self, messages: Sequence[Message]) -> str:
        """Return what the model reads; see `Respondent`."""
        return self.model.prompt_text(messages)


def template_of(model: HeldModel) -> tuple[ChatTemplate, str]:
    """Return the template that names a model's speakers, and its system message."""
    if model.template:
        template = family_named(model.template)
        return template, template.system_message
    return family_for(model.path) or family_named(NEUTRAL_FAMILY), ""


def api_key_of(variable: str | None) -> str:
    """Return the key that an environment variable holds.

    Raises:
        InvalidRequestError: it holds none.
    """
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise InvalidRequestError(f"the environment variable {variable} holds no API key")
    return key


@contextmanager
def calm_process(log_level: int) -> Iterator[None]:
    """Log from a level on, and end on SIGTERM with everything closed on the way."""
    root = logging.getLogger()
    level, handler = root.level, signal.signal(signal.SIGTERM, leave)
    root.setLevel(log_level)
    try:
        yield
    finally:
        root.setLevel(level)
        signal.signal(signal.SIGTERM, handler)


def leave(*_: object) -> NoReturn:
    """End as SIGTERM asks, letting everything be closed on the way."""
    raise SystemExit(TERMINATED)


def chat(model: Respondent, conversation: TerminalConversation, options: dict[str, Any]) -> None:
    """Chat in the style that was asked for."""
    TerminalChat(
        model,
        SCREENS[options["style"]](options),
        conversation,
        has_history=not options["no_history"],
        is_debugging=options["debug"],
    ).run()
