"""Development and `make demo`: everything on this machine, the key made once and kept in `var/`."""

import secrets

from fastchat_site.settings import env
from fastchat_site.settings.base import *  # noqa: F403  (a settings layer is its base and more)
from fastchat_site.settings.base import STATE_DIR

DEBUG = env.flag("FASTCHAT_DEBUG", default=False)


def kept_secret_key() -> str:
    """Return the key of this checkout, made once so that sessions survive a restart."""
    path = STATE_DIR / "secret_key"
    try:
        with path.open("x", encoding="ascii") as file:
            path.chmod(0o600)
            file.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    return path.read_text(encoding="ascii")


SECRET_KEY = env.text("SECRET_KEY") or kept_secret_key()
