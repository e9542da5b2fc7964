"""What must never be shown or written down: passwords, keys, and addresses that hold them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

MASK = "***"
_SECRET = re.compile(r"(^|[_.-])(password|passwd|secret|token|(api_?|access_?)key)$")
_ADDRESS = re.compile(r"(^|[_.-])(url|webhook)$")
_LOGIN = re.compile(r"(\w[\w+.-]*://)[^/@\s]+@")


def setting(key: str, value: object) -> str:
    """A setting's value, fit to be shown; of an address only scheme, host and port.

    Args:
        key: its name, such as "redis.url".
    """
    name = key.lower().replace("-", "_")
    if value and _SECRET.search(name):
        return MASK
    return address(str(value)) if value and _ADDRESS.search(name) else text(str(value))


def address(url: str) -> str:
    """Where an address leads, without user, password, path or options; a socket with its path."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def text(said: str) -> str:
    """Any text, without the logins of addresses in it."""
    return _LOGIN.sub(rf"\1{MASK}@", said)


def words(given: Sequence[str]) -> list[str]:
    """A command line's words: what follows an option that names a secret is masked."""
    shown: list[str] = []
    hidden = False
    for word in given:
        option, equals, _ = word.partition("=")
        if hidden:
            shown.append(MASK)
            hidden = False
        elif word.startswith("-") and _SECRET.search(option.lower().replace("-", "_")):
            shown.append(f"{option}={MASK}" if equals else word)
            hidden = not equals
        else:
            shown.append(text(word))
    return shown
