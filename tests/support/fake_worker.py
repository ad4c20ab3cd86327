"""A real worker process around a fake engine: python -m tests.support.fake_worker NAME …"""

import argparse

import django

django.setup()

from inference.conf import inference_settings  # noqa: E402  (needs the app registry)
from inference.providers.transport import site_bus  # noqa: E402
from inference.providers.worker import queue_of  # noqa: E402
from inference.worker.engine_host import EngineHost, ModelFacts  # noqa: E402
from inference.worker.hosts import add_host  # noqa: E402
from inference.worker.process import run_worker_process  # noqa: E402
from inference.worker.serving import exit_stuck, stop_hosts  # noqa: E402
from tests.support.fake_engine import ANSWER_TOKENS, FakeEngine  # noqa: E402


def main() -> None:
    """Serve one name until told to leave."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--step-s", type=float, default=0.02)
    parser.add_argument("--drain-s", type=float, default=20.0)
    parser.add_argument("--answer-tokens", type=int, default=ANSWER_TOKENS)
    options = parser.parse_args()
    engine = FakeEngine(
        slots=options.slots, step_s=options.step_s, answer_tokens=options.answer_tokens
    )
    hosts: list[EngineHost] = []

    def load() -> list[EngineHost]:
        host = EngineHost(
            engine,
            names=[options.name],
            bus=site_bus(),
            settings=inference_settings(),
            facts=ModelFacts(),
            on_fatal=exit_stuck,
        )
        hosts.append(host)
        add_host(host)
        return hosts

    status = run_worker_process(
        load, queues=[queue_of(options.name)], concurrency=64, drain_s=options.drain_s
    )
    stop_hosts(hosts)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
