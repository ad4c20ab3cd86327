"""The test suite: a throw-away key, fast password hashing."""

import atexit
import shutil
import tempfile
from pathlib import Path

from fastchat_site.settings.base import *  # noqa: F403  (a settings layer is its base and more)
from fastchat_site.settings.base import DATABASES, INFERENCE

SECRET_KEY = "for tests only, never in production"  # noqa: S105  (says so itself)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Most tests need no database; those of endpoints switch them on.
INFERENCE["uses_endpoints"] = False
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # A file: threads that share a database in memory meet as "table is locked", without a wait.
    folder = Path(tempfile.mkdtemp(prefix="fastchat-site-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    DATABASES["default"]["TEST"] = {"NAME": folder / "test.sqlite3"}
