"""What Django's system check says of this app's settings."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from inference.chat_templates.families import families
from inference.exceptions import InvalidFamilyError


@register()
def check_families(**_: Any) -> list[CheckMessage]:
    """Report a file of template families that cannot be used."""
    try:
        families()
    except InvalidFamilyError as error:
        hint = "correct the file that FASTCHAT_FAMILIES names, or leave it empty"
        return [Error(str(error), hint=hint, id="inference.E001")]
    return []
