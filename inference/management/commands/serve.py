"""Run the site: all in one process, or the web part alone where there is a Redis."""

import signal
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from inference.client import close_client
from inference.conf import inference_settings
from inference.demo_models import demo_model_folders
from inference.exceptions import InferenceError
from inference.management.adapter_arguments import add_adapter_argument
from inference.management.bad_input import refusals, refuse
from inference.management.model_arguments import (
    add_model_arguments,
    for_another_model,
    spec_options,
)
from inference.providers.transport import site_bus
from inference.services import register_model
from inference.worker.celery_thread import CeleryThread
from inference.worker.engine_host import EngineHost
from inference.worker.model_specs import ModelSpec, check_names, parse_spec
from inference.worker.serving import (
    hasten_exit,
    queues_of,
    register_scripted,
    start_hosts,
    stay,
    stop_hosts,
    task_threads,
)
from inference.worker.shared_bases import with_adapters

# Above what the consumers take, so that they can answer a large event instead of being cut off.
WEBSOCKET_BYTES = 256 * 1024
PING_S = 15  # under the silence that proxies allow


class Command(BaseCommand):
    """Serves pages, sockets and API; without REDIS_URL the models too."""

    help = (
        "Run the site with Daphne. Without REDIS_URL everything runs in this process: the demo"
        " models (inference/demo_models) and those of --model are loaded here. With REDIS_URL this"
        " is one web process, and models live in `manage.py worker` processes. Reads and writes"
        " the database, which `manage.py migrate` prepares."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Example: manage.py serve --port 9000 --model /models/my-model,my-model"
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
        parser.add_argument("--port", type=int, default=8000, help="port; 0 takes a free one")
        parser.add_argument(
            "--model",
            action="append",
            default=[],
            metavar="PATH_OR_ID[,NAME]…",
            help="serve this model too (folder or hub id) under these names; may be repeated",
        )
        parser.add_argument(
            "--no-demo-models", action="store_true", help="leave the demo models out"
        )
        add_adapter_argument(parser)
        add_model_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        self.check_database()
        for name in inference_settings().scripted_models:
            register_model(name=name)
        specs = self.specs(options)
        listener = open_listener(options["host"], options["port"])
        # SIGTERM ends the loading as Ctrl-C does; later the web server takes both over.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        hosts: list[EngineHost] = []
        tasks: CeleryThread | None = None
        try:
            register_scripted(inference_settings().scripted_models)
            if specs:
                hosts = self.load(specs)
                tasks = CeleryThread(queues_of(specs), concurrency=task_threads(specs))
                tasks.start()
            self.serve_web(listener, options["host"])
        except KeyboardInterrupt:
            self.say("Stopped.")
        except InferenceError as error:
            raise refuse(str(error)) from error
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not tear the end
            listener.close()
            stop_hosts(hosts)
            if tasks is not None:
                tasks.stop(timeout_s=1.0)
            close_client()
            hasten_exit()

    def say(self, text: str) -> None:
        """Print a line of progress at once."""
        self.stdout.write(text)
        self.stdout.flush()

    def check_database(self) -> None:
        """Refuse a database that was not migrated.

        Raises:
            CommandError: it cannot be reached, or has no tables.
        """
        try:
            tables = connection.introspection.table_names()
        except DatabaseError as error:
            raise CommandError(f"the database cannot be reached: {error}") from error
        if "inference_languagemodel" not in tables:
            raise CommandError("the database has no tables yet; run `manage.py migrate` first")

    def specs(self, options: dict[str, Any]) -> list[ModelSpec]:
        """Return the models to load here.

        Raises:
            CommandError: a model is written wrongly, or models live in workers.
        """
        if inference_settings().redis_url:
            if options["model"]:
                raise refuse(
                    "with REDIS_URL models live in workers: start"
                    " `manage.py worker --model-path …` instead of --model"
                )
            return []
        common = spec_options(options)
        demo = {} if options["no_demo_models"] else demo_model_folders()
        specs = [
            ModelSpec(str(folder), (name,), **for_another_model(common))
            for name, folder in demo.items()
        ]
        with refusals():
            asked = [parse_spec(text, **common) for text in options["model"]]
            # Adapters belong to the models that were asked for, else to the demo models.
            if asked:
                specs += with_adapters(asked, options["adapter"])
            else:
                specs = with_adapters(specs, options["adapter"])
            check_names(specs)
        return specs

    def load(self, specs: list[ModelSpec]) -> list[EngineHost]:
        """Load the models and start their engines."""
        settings = inference_settings()
        return start_hosts(specs, bus=site_bus(), settings=settings, on_fatal=stay, say=self.say)

    def serve_web(self, listener: socket.socket, host: str) -> None:
        """Run Daphne on the listening socket until it is told to stop."""
        # Daphne installs an event loop for the whole process, so it comes in only here.
        from channels.routing import get_default_application
        from daphne.endpoints import build_endpoint_description_strings
        from daphne.server import Server

        from inference.management.web_sockets import send_accept_headers

        send_accept_headers()
        port = listener.getsockname()[1]
        address = f"http://{f'[{host}]' if ':' in host else host}:{port}/"
        server = Server(
            get_default_application(),
            # Twisted closes the descriptor it was given, so it must not be ours any more.
            endpoints=build_endpoint_description_strings(file_descriptor=listener.detach()),
            server_name="fastchat-site",
            websocket_max_message_size=WEBSOCKET_BYTES,
            websocket_max_frame_size=WEBSOCKET_BYTES,
            ping_interval=PING_S,
            verbosity=0,
            ready_callable=lambda: self.say(f"FastChat Site is ready at {address}"),
        )
        server.run()
        self.say("Stopped.")


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        CommandError: the address is not ours, or somebody listens there already.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=511)
    except (OSError, OverflowError) as error:
        raise CommandError(f"cannot listen on {host}:{port}: {error}") from error
