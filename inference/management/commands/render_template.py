"""Print the prompt that a chat template makes of a conversation."""

from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand

from inference.chat_templates.families import family_for, family_named
from inference.chat_templates.rendering import render_family, render_prompt
from inference.conf import inference_settings
from inference.exceptions import InvalidRequestError
from inference.management.bad_input import refusals
from inference.management.message_files import read_messages
from inference.messages import Message, Role

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Command(BaseCommand):
    """Prints a prompt, byte for byte."""

    help = (
        "Print the prompt that a chat template makes of a conversation, and nothing else: no line"
        " break is added. Reads the JSON file with the messages, and for a model the files of its"
        " tokenizer; writes nothing."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = (
            "Example: manage.py render_template vicuna_v1.1 --system 'Be brief.'"
            " --messages messages.json"
        )
        parser.add_argument(
            "name",
            metavar="NAME",
            help="family of docs/reference/models.md, or folder or hub id (OWNER/NAME) of a model,"
            " which has its tokenizer's template",
        )
        parser.add_argument(
            "--system", metavar="TEXT", help="system message, in place of those of the file"
        )
        parser.add_argument(
            "--messages",
            required=True,
            metavar="FILE",
            help='JSON list of {"role": …, "content": …}, oldest first, - for standard input; a'
            " last assistant message with the content null is what the model is to write",
        )
        parser.add_argument(
            "--no-generation-prompt",
            action="store_true",
            help="write the conversation as it is, without what makes the assistant speak next",
        )

    def handle(self, **options: Any) -> None:
        """Read, render, print."""
        with refusals():
            messages, is_open = read_messages(
                options["messages"], limit_bytes=inference_settings().prompt_bytes
            )
            if is_open and options["no_generation_prompt"]:
                raise InvalidRequestError(
                    "the last message is open, so --no-generation-prompt cannot be followed"
                )
            if options["system"] is not None:
                messages = with_system(messages, options["system"])
            text = render(options["name"], messages, is_asked=not options["no_generation_prompt"])
        self.stdout.write(text, ending="")


def with_system(messages: Sequence[Message], text: str) -> list[Message]:
    """Return the conversation under another system message."""
    said = [message for message in messages if message.role is not Role.SYSTEM]
    return [Message(Role.SYSTEM, text), *said]


def render(name: str, messages: Sequence[Message], *, is_asked: bool) -> str:
    """Write a conversation by a family, or by the template of a model.

    Raises:
        InferenceError: there is neither, or the template refuses the conversation.
    """
    if "/" not in name and not Path(name).is_dir():
        return render_family(family_named(name), messages, add_generation_prompt=is_asked)
    tokenizer = read_tokenizer(name)
    family = None if tokenizer.chat_template else family_for(name)
    prompt = render_prompt(tokenizer, messages, template=family, add_generation_prompt=is_asked)
    return prompt.text


def read_tokenizer(path_or_id: str) -> "PreTrainedTokenizerBase":
    """Return the tokenizer of a model, without its weights.

    Raises:
        ModelLoadError: there is no such model, or its tokenizer cannot be read.
    """
    from inference.loading.sources import locate  # brings transformers, which takes seconds
    from inference.loading.tokenizer import load_tokenizer

    settings = inference_settings()
    folder = locate(path_or_id, use_modelscope=settings.use_modelscope, with_weights=False)
    return load_tokenizer(folder)
