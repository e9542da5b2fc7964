"""Where we listen: this machine alone, unless asked otherwise and a password is set."""

from __future__ import annotations

import socket
from email.utils import parsedate_to_datetime

from exchange.errors import Busy, UsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def require_password(what: str, host: str, password: str, variable: str) -> None:
    """Refuse to be open to others without a password.

    Args:
        what: "the dashboard", for the message.
        variable: the environment variable that sets the password.

    Raises:
        UsageError: another address than loopback, without a password.
    """
    if host not in LOOPBACK and not password:
        raise UsageError(
            f"{what} on {host} would be open to others: set {variable}, or keep 127.0.0.1"
        )


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, so that a port in use is known before anything else begins.

    Raises:
        UserError: the port is taken, or the address is not this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Busy(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another with --port, or "
            "end what runs there"
        ) from None
    listener.listen()
    return listener


# The Retry-After header of HTTP (RFC 9110, 10.2.3): seconds, or a date.

MAX_RETRY_AFTER_S = 7 * 86_400.0  # beyond a week it is a mistake, or a joke


def parse_retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks for, in either of its forms; None if malformed.

    A negative number is malformed: taken at its word it would end the pause before it began.
    """
    if not header:
        return None
    value = header.strip()
    if value.isdecimal() and value.isascii():
        return min(float(value[:12]), MAX_RETRY_AFTER_S)
    try:
        seconds = parsedate_to_datetime(value).timestamp() - now
    except (TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, seconds), MAX_RETRY_AFTER_S)
