"""An engineer adds a model with one command."""

import json
import urllib.request
from pathlib import Path

from inference.demo_models import demo_model_folders
from tests.support.ports import wait_until
from tests.support.site import Site
from tests.support.tiny_models import save_tiny_model


def models_of(site: Site) -> set[str]:
    """Return the names the API lists."""
    with urllib.request.urlopen(f"{site.address}/v1/models", timeout=10) as answer:
        return {model["id"] for model in json.load(answer)["data"]}


def test_a_folder_given_to_serve_stands_beside_the_demo_models(tmp_path: Path):
    folder = save_tiny_model(tmp_path / "my-model")
    site = Site(tmp_path, added_models=(f"{folder},my-model",))

    try:
        site.start()
        names = models_of(site)
    finally:
        site.stop()

    assert names == {*demo_model_folders(), "my-model"}
    assert site.web is not None
    assert site.web.process.returncode == 0
    assert "Traceback" not in site.web.output()


def test_a_folder_without_a_model_is_refused_in_one_sentence(tmp_path: Path):
    site = Site(tmp_path, added_models=(str(tmp_path / "nothing-here"),))

    site.manage("migrate", "--verbosity", "0")
    site.launch_web()
    assert site.web is not None
    wait_until(lambda: site.web is None or not site.web.is_running, what="it gives up")

    assert site.web.process.returncode == 2
    assert "nothing-here" in site.web.output()
    assert "Traceback" not in site.web.output()
