"""Who may ask the studio, and what its pages may do.

A page of another site can send a browser here, by a form, by a script or by a name that it lets
point to 127.0.0.1. So a request must name this machine and come from our own page; with a
password it must bring it. Our pages may load and send nothing elsewhere, and a handler written
into a tag never runs, whatever gets into a page.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any
from urllib.parse import urlsplit

from exchange.net import LOOPBACK

# Gradio's page starts with scripts of its own and compiles its HTML component in the browser.
POLICY = "; ".join(
    [
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "script-src-attr 'none'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    ]
)
# A report is a page of its own, without scripts, that reaches nothing.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_POLICY = b"content-security-policy"
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]


class RequestGuard:
    """ASGI middleware in front of everything that the studio answers."""

    def __init__(self, app: Any, host: str, login: tuple[str, str] | None) -> None:
        self._app = app
        self._names = set(LOOPBACK) if host in LOOPBACK else None
        self._login = ":".join(login).encode() if login else None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # Gradio asks over HTTP alone
        refusal = self._refusal(dict(scope["headers"]))
        if refusal:
            status, said, headers = refusal
            headers = [(b"content-type", b"text/plain"), *headers]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": said})
            return

        async def fenced(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if all(name.lower() != _POLICY for name, _ in headers):
                    headers.append((_POLICY, POLICY.encode()))
                message = {**message, "headers": headers + _ALWAYS}
            await send(message)

        await self._app(scope, receive, fenced)

    def _refusal(
        self, headers: dict[bytes, bytes]
    ) -> tuple[int, bytes, list[tuple[bytes, bytes]]] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self._names is not None and urlsplit(f"//{host}").hostname not in self._names:
            return 421, b"this studio answers to 127.0.0.1 alone", []
        origin = headers.get(b"origin")
        if origin is not None and urlsplit(origin.decode("latin-1")).netloc != host:
            return 403, b"asked by a page of another site", []
        if self._login and not hmac.compare_digest(_basic_credentials(headers), self._login):
            return 401, b"login needed", [(b"www-authenticate", b'Basic realm="kkoracle"')]
        return None


def _basic_credentials(headers: dict[bytes, bytes]) -> bytes:
    kind, _, value = headers.get(b"authorization", b"").partition(b" ")
    if kind.lower() != b"basic":
        return b""
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return b""
