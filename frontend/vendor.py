"""Copies the pinned browser libraries from node_modules into the site, with licences and hashes.

Run after `npm ci --ignore-scripts` in this folder: `python frontend/vendor.py`. The copies are
committed, so that neither installing nor deploying the site needs Node.
"""

import base64
import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NODE_MODULES = HERE / "node_modules"
TARGET = HERE.parent / "fastchat_site" / "static" / "vendor"

# Static file hashing fails on a file that names a source map which is not shipped.
SOURCE_MAP = re.compile(rb"^//# sourceMappingURL=.*\n?", re.MULTILINE)
# Browsers that run ES modules read WOFF2, so the older formats are neither shipped nor named.
OLD_FONTS = re.compile(rb",url\([^)]*\.(?:woff|ttf)\) format\(\"(?:woff|truetype)\"\)")


@dataclass(frozen=True, slots=True)
class Library:
    """What is taken from one npm package: paths or globs inside it, licence texts among them."""

    package: str
    folder: str
    files: tuple[str, ...]


LIBRARIES = (
    Library("marked", "marked", ("LICENSE", "lib/marked.esm.js")),
    Library("dompurify", "dompurify", ("LICENSE", "dist/purify.min.js")),
    Library("@highlightjs/cdn-assets", "highlight", ("LICENSE", "es/highlight.min.js")),
    Library(
        "katex",
        "katex",
        ("LICENSE", "dist/katex.min.js", "dist/katex.min.css", "dist/fonts/*.woff2"),
    ),
)


def vendor_all(target: Path = TARGET) -> None:
    """Replace the vendored files and the list of them, `vendor.json`."""
    shutil.rmtree(target, ignore_errors=True)
    entries = [entry for library in LIBRARIES for entry in vendor(library, target)]
    (target / "vendor.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def vendor(library: Library, target: Path) -> list[dict[str, str]]:
    """Copy one library and return a `vendor.json` entry a file."""
    source = NODE_MODULES / library.package
    package = json.loads((source / "package.json").read_text(encoding="utf-8"))
    entries = []
    for pattern in library.files:
        for path in sorted(source.glob(pattern)):
            # Fonts keep their folder, because the stylesheet names them by it.
            name = Path("fonts", path.name) if path.suffix == ".woff2" else Path(path.name)
            copy = target / library.folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(cleaned(path))
            entries.append(
                {
                    "file": copy.relative_to(target).as_posix(),
                    "package": library.package,
                    "version": package["version"],
                    "licence": package["license"],
                    "sha384": sha384(copy),
                }
            )
    return entries


def cleaned(path: Path) -> bytes:
    """Return a file's content without references to files that are not shipped."""
    content = path.read_bytes()
    if path.suffix == ".js":
        return SOURCE_MAP.sub(b"", content)
    if path.suffix == ".css":
        return OLD_FONTS.sub(b"", content)
    return content


def sha384(path: Path) -> str:
    """Return a file's digest in the notation of subresource integrity."""
    digest = hashlib.sha384(path.read_bytes()).digest()
    return "sha384-" + base64.b64encode(digest).decode("ascii")


if __name__ == "__main__":
    vendor_all()
