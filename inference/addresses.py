"""Which addresses an endpoint may have.

Administrators write them, visitors never do, so that a server in the same network is welcome.
What is refused here are addresses that cannot be what anybody means, or that hide a secret.
"""

import ipaddress
from urllib.parse import urlsplit

MAX_CHARS = 300


def address_fault(address: str) -> str:
    """Return what is wrong with an address; "" where nothing is.

    Args:
        address: a base address such as `https://host:8000/v1`.
    """
    if len(address) > MAX_CHARS or not (address.isascii() and address.isprintable()):
        return f"an address is at most {MAX_CHARS} printable ASCII characters"
    if " " in address or "\\" in address:
        return "an address holds neither blanks nor backslashes"
    try:
        parts = urlsplit(address)
        has_port = parts.port != 0
    except ValueError:
        return "the address cannot be read"
    if parts.scheme not in {"http", "https"}:
        return "an address begins with http:// or https://"
    if not parts.hostname or not has_port:
        return "the address names no host and port"
    if parts.username is not None or parts.password is not None:
        return "an address holds no name or password; set the key variable"
    if parts.query or parts.fragment:
        return "a base address has no ? and no #; what belongs there is an option"
    if _is_link_local(parts.hostname):
        return "link-local addresses serve metadata of machines, not models"
    return ""


def _is_link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
