"""Vendored libraries are what they claim to be; hashed names keep modules together."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles.finders import get_finders

from fastchat_site.static_storage import HashedModuleStorage

ROOT = Path(__file__).resolve().parent.parent.parent
VENDOR = ROOT / "fastchat_site" / "static" / "vendor"
OURS = ("css/", "js/", "img/", "vendor/", "arena/", "chat/", "leaderboard/", "inference/")
IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*"(\.[^"]+)\"""")


def test_every_vendored_file_is_listed_with_its_hash_and_licence() -> None:
    listed = {entry["file"]: entry for entry in json.loads((VENDOR / "vendor.json").read_text())}
    files = {
        path.relative_to(VENDOR).as_posix(): path
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "vendor.json"
    }

    assert set(files) == set(listed)
    for name, path in files.items():
        digest = base64.b64encode(hashlib.sha384(path.read_bytes()).digest()).decode("ascii")
        assert listed[name]["sha384"] == f"sha384-{digest}", name
        assert listed[name]["licence"]
        assert (VENDOR / name.split("/")[0] / "LICENSE").exists()


def test_vendored_versions_are_the_pinned_ones() -> None:
    pinned = json.loads((ROOT / "frontend" / "package.json").read_text())["dependencies"]

    listed = {
        entry["package"]: entry["version"]
        for entry in json.loads((VENDOR / "vendor.json").read_text())
    }

    assert listed == pinned


def test_no_stylesheet_or_script_names_a_foreign_host() -> None:
    ours = [
        path
        for folder in ("fastchat_site/static", "arena/static", "chat/static", "leaderboard/static")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".css", ".js"} and VENDOR not in path.parents
    ]

    assert [str(path) for path in ours if re.search(r"https?://", path.read_text())] == []


@pytest.mark.slow
def test_hashed_modules_import_each_other_by_their_hashed_names(tmp_path: Path) -> None:
    storage = HashedModuleStorage(location=tmp_path, base_url="/static/")
    storage.compress_files = lambda _names: ()  # compression is not what is tested
    paths = {}
    for finder in get_finders():
        for name, source in finder.list([]):
            if name.startswith(OURS):
                paths[name] = (source, name)
                with source.open(name) as file:
                    storage.save(name, file)

    failures = [
        error for _, _, error in storage.post_process(paths) if isinstance(error, Exception)
    ]

    assert failures == []
    manifest = json.loads((tmp_path / "staticfiles.json").read_text())["paths"]
    hashed = set(manifest.values())
    for name in ("arena/battle.js", "chat/chat.js", "js/markdown.js", "js/code.js", "js/math.js"):
        module = tmp_path / manifest[name]
        imports = IMPORT.findall(module.read_text())
        assert imports
        for imported in imports:
            target = (module.parent / imported).resolve().relative_to(tmp_path.resolve())
            assert target.as_posix() in hashed, (name, imported)
