"""Where we listen: this machine alone, unless asked otherwise and a password is set."""

from __future__ import annotations

import socket

from exchange.errors import UsageError, UserError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def fenced(what: str, host: str, password: str, variable: str) -> None:
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
        raise UserError(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another with --port, or "
            "end what runs there"
        ) from None
    listener.listen()
    return listener
