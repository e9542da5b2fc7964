"""Where we listen, and to whom: this machine alone, unless asked otherwise with a password."""

from __future__ import annotations

import base64
import contextlib
import hmac
import random
import socket
from email.utils import parsedate_to_datetime
from urllib.parse import SplitResult, urlsplit

from exchange.errors import Busy, UsageError

HOST = "127.0.0.1"  # where we listen unless asked otherwise
LOOPBACK = (HOST, "::1", "localhost")
OWN_PORTS = range(20_000, 30_000)
_TRIES = 32


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


def listen_anywhere() -> socket.socket:
    """A listening socket on some free port of this machine alone, chosen by ourselves.

    Those that systems hand out by themselves (from 32,768 on Linux, 49,152 on macOS) are taken
    at any moment by whoever connects to something, ours between two runs of a command seldom.
    """
    for port in random.sample(OWN_PORTS, _TRIES):
        with contextlib.suppress(Busy):
            return listen(HOST, port)
    return listen(HOST, 0)


class RequestFence:
    """Who may ask a page that we serve: the same for every one, whatever serves it.

    A page of another site may send requests to 127.0.0.1 from its reader's browser, and a name of
    its own may be made to lead here. Neither gets an answer, nor does anybody without the login.
    """

    def __init__(
        self, what: str, host: str, login: tuple[str, str] | None, public: str = ""
    ) -> None:
        """Fence `what` ("the dashboard", for the message), which listens on `host`.

        Args:
            public: the address under which a proxy shows it to others.
        """
        self._what = what
        self._public = _split(public)
        named = (self._public.hostname,) if self._public.hostname else ()
        self._names = (*LOOPBACK, *named) if host in LOOPBACK else None
        self._login = ":".join(login).encode() if login else None

    def refusal(
        self, host: str, origin: str | None, authorization: str
    ) -> tuple[int, str, dict[str, str]] | None:
        """Status, text and headers for a request with these headers; None for one of ours."""
        if self._names is not None and _split(f"//{host}").hostname not in self._names:
            return 421, f"{self._what} answers to 127.0.0.1 alone", {}
        if origin is not None and _split(origin).netloc not in (host, self._public.netloc or host):
            return 403, "asked by a page of another site", {}
        if self._login and not hmac.compare_digest(_basic_login(authorization), self._login):
            return 401, "login needed", {"WWW-Authenticate": 'Basic realm="kkoracle"'}
        return None


def _split(address: str) -> SplitResult:
    try:
        return urlsplit(address)
    except ValueError:  # no address at all
        return urlsplit("")


def _basic_login(authorization: str) -> bytes:
    kind, _, value = authorization.partition(" ")
    if kind.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except ValueError:
        return b""


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
