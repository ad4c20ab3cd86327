"""Run a model worker: a Celery process that holds models."""

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from inference.conf import inference_settings
from inference.management.adapter_arguments import add_adapter_argument
from inference.management.bad_input import refusals, refuse
from inference.management.model_arguments import add_model_arguments, spec_options
from inference.providers.transport import close_site_bus, site_bus
from inference.worker.engine_host import EngineHost
from inference.worker.model_specs import ModelSpec, check_names, default_name
from inference.worker.process import run_worker_process
from inference.worker.serving import (
    exit_stuck,
    hasten_exit,
    queues_of,
    start_hosts,
    stop_hosts,
    task_threads,
)
from inference.worker.shared_bases import with_adapters

if TYPE_CHECKING:
    from inference.engine.parallel.channel import PlanChannel


class Command(BaseCommand):
    """Answers requests for its models until it is told to leave."""

    help = (
        "Run a model worker. It takes requests from the queues of its models on REDIS_URL, answers"
        " many at a time, and writes model cards into the database. SIGTERM or Ctrl-C: it takes"
        " nothing new, finishes what runs (at most `drain_s` seconds) and ends."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the options."""
        parser.epilog = "Example: manage.py worker --model-path /models/my-model --device cuda"
        parser.add_argument(
            "--model-path",
            action="append",
            required=True,
            metavar="PATH_OR_ID",
            help="model to serve: folder or hub id; may be repeated",
        )
        parser.add_argument(
            "--model-names",
            action="append",
            default=[],
            metavar="NAME[,NAME]…",
            help="names of the model, for each --model-path in order; the folder's name if left",
        )
        parser.add_argument(
            "--concurrency",
            type=int,
            metavar="N",
            help="tasks that may wait for their answers at a time",
        )
        parser.add_argument(
            "--tensor-parallel",
            action="store_true",
            help="deal every weight out to the processes that torchrun starts; one model a worker",
        )
        add_adapter_argument(parser)
        add_model_arguments(parser)

    def handle(self, **options: Any) -> None:
        """Serve until told to leave."""
        if not inference_settings().redis_url:
            raise refuse("a worker needs REDIS_URL; without it `serve` holds the models")
        specs = self.specs(options)
        concurrency = options["concurrency"] or task_threads(specs)
        if options["tensor_parallel"] and len(specs) > 1:
            raise refuse("with --tensor-parallel a worker serves one model")
        with refusals():
            if options["tensor_parallel"]:
                self.serve_together(specs[0], concurrency=concurrency)
            else:
                self.serve(specs, concurrency=concurrency)

    def serve_together(self, spec: ModelSpec, *, concurrency: int) -> None:
        """Lead the processes that share the model, or follow the one that leads."""
        from inference.worker.tensor_parallel import follow_leader, joined_ranks

        with joined_ranks(spec) as channel:
            if channel.is_leader:
                self.serve([spec], concurrency=concurrency, channel=channel)
            else:
                follow_leader(spec, channel, say=self.say)

    def serve(
        self,
        specs: list[ModelSpec],
        *,
        concurrency: int,
        channel: "PlanChannel | None" = None,
    ) -> None:
        """Load the models and answer for them until told to leave."""
        settings = inference_settings()
        hosts: list[EngineHost] = []

        def load() -> list[EngineHost]:
            hosts.extend(
                start_hosts(
                    specs,
                    bus=site_bus(),
                    settings=settings,
                    on_fatal=exit_stuck,
                    say=self.say,
                    channel=channel,
                )
            )
            self.say(f"The worker is ready: {', '.join(n for h in hosts for n in h.names)}")
            return hosts

        try:
            status = run_worker_process(
                load, queues=queues_of(specs), concurrency=concurrency, drain_s=settings.drain_s
            )
        finally:
            stop_hosts(hosts)
            close_site_bus()
            hasten_exit()
        if status:
            raise CommandError(f"the worker ended with {status}")

    def say(self, text: str) -> None:
        """Print a line of progress at once."""
        self.stdout.write(text)
        self.stdout.flush()

    def specs(self, options: dict[str, Any]) -> list[ModelSpec]:
        """Return what is to be served.

        Raises:
            CommandError: names and paths do not fit together.
        """
        paths, names = options["model_path"], options["model_names"]
        if len(names) > len(paths):
            raise refuse("there are more --model-names than --model-path")
        names = [*names, *([""] * (len(paths) - len(names)))]
        common = spec_options(options)
        common["load_options"]["tensor_parallel"] = options["tensor_parallel"]
        specs = [
            ModelSpec(path, split_names(entry) or (default_name(path),), **common)
            for path, entry in zip(paths, names, strict=True)
        ]
        with refusals():
            specs = with_adapters(specs, options["adapter"])
            check_names(specs)
        return specs


def split_names(text: str) -> tuple[str, ...]:
    """Return a comma-separated list without empty entries."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
