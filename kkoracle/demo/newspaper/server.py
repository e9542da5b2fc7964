"""Serves a newspaper over HTTP; the pages lie in memory and are sent byte for byte."""

from __future__ import annotations

from urllib.parse import unquote

from aiohttp import web

from kkoracle.demo.newspaper.records import Newspaper, Page


def _app(newspaper: Newspaper) -> web.Application:
    # Clients may send "/" in a query as %2F; both mean the same page.
    pages: dict[str, Page] = {unquote(url): page for url, page in newspaper.pages.items()}

    async def answer(request: web.Request) -> web.Response:
        page = pages.get(unquote(request.raw_path))
        if page is None:
            return web.Response(status=404, text="Η σελίδα δεν βρέθηκε.")
        return web.Response(body=page.body, headers={"Content-Type": page.content_type})

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", answer)
    return app


async def serve(
    newspaper: Newspaper, host: str = "127.0.0.1", port: int = 0
) -> tuple[web.AppRunner, int]:
    """Starts serving and returns the runner (`await runner.cleanup()` stops it) and the port.

    Port 0 takes a free one. Raises OSError when the port is in use.
    """
    runner = web.AppRunner(_app(newspaper), access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, runner.addresses[0][1]
