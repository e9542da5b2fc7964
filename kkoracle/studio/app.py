"""The studio as one ASGI application: its pages behind our fence, and a policy for each answer."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from exchange.errors import NotFound, UserError
from exchange.net import RequestFence
from kkoracle.settings import StudioSettings
from kkoracle.studio.pages import ALWAYS, OF_ARCHIVE
from kkoracle.studio.studio import STATIC, Studio

# Nothing inline runs and nothing is asked of another machine, whatever a page of the newspaper or a
# model has brought into ours.
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        "frame-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)
_POLICY = b"content-security-policy"
# A browser names the page that sent a form only while it may name it to ourselves: with
# `no-referrer` the fence would see forms of ours as forms of nobody.
_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
]


class RequestGuard:
    """ASGI middleware in front of everything that the studio answers."""

    def __init__(self, app: Any, fence: RequestFence, root_path: str = "") -> None:
        self._app = app
        self._fence = fence
        self._root_path = root_path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # everything here is asked over HTTP
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._fence.refusal(
            headers.get(b"host", ""), headers.get(b"origin"), headers.get(b"authorization", "")
        )
        if refusal:
            status, said, more = refusal
            sent = [(name.lower().encode(), value.encode()) for name, value in more.items()]
            sent.append((b"content-type", b"text/plain"))
            await send({"type": "http.response.start", "status": status, "headers": sent})
            await send({"type": "http.response.body", "body": said.encode()})
            return

        if self._root_path and scope["path"].startswith(f"{self._root_path}/"):
            # A proxy may leave its own path before ours, or take it away.
            scope = {**scope, "path": scope["path"].removeprefix(self._root_path)}

        async def fenced(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if all(name.lower() != _POLICY for name, _ in headers):
                    headers.append((_POLICY, POLICY.encode()))
                message = {**message, "headers": headers + _ALWAYS}
            await send(message)

        await self._app(scope, receive, fenced)


def make_studio_app(studio: Studio, settings: StudioSettings) -> Any:
    """The whole application, for an ASGI server."""
    pages = (*OF_ARCHIVE, *ALWAYS) if studio.archive else ALWAYS
    routes: list[Any] = [route for page in pages for route in page.routes(studio)]
    routes.append(Mount("/static", StaticFiles(directory=STATIC), name="static"))

    def failed(request: Request, error: Exception) -> Response:
        status = 404 if isinstance(error, NotFound) else 400
        return studio.page(request, "error.html.j2", status=status, message=str(error))

    app = Starlette(
        routes=routes,
        exception_handlers={
            UserError: failed,
            404: lambda request, error: failed(request, NotFound("no such page")),
        },
    )
    login = (settings.user, settings.password) if settings.password else None
    fence = RequestFence("this studio", settings.host, login, settings.public_url)
    return RequestGuard(app, fence, studio.root_path)
