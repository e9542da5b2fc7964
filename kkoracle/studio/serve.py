"""Start the studio, and end it."""

from __future__ import annotations

from urllib.parse import urlsplit

import typer

from exchange import signals
from exchange.errors import MissingExtra
from exchange.machine import install_command
from exchange.net import listen, require_password
from exchange.project import Project
from kkoracle.settings import StudioSettings


def serve_studio(project: Project, archive: str, settings: StudioSettings) -> None:
    """Serve until Ctrl-C.

    Raises:
        UsageError: another address than loopback, without a password.
        UserError: the extra is missing, or the port is taken.
    """
    seen_by_others = urlsplit(settings.public_url).hostname or settings.host
    require_password("the studio", seen_by_others, settings.password, "KKORACLE_UI_PASSWORD")
    listener = listen(settings.host, settings.port)
    with listener:
        require_extra()
        import uvicorn

        from kkoracle.studio.app import make_studio_app
        from kkoracle.studio.studio import Studio

        with Studio(project, archive, settings) as studio:
            config = uvicorn.Config(
                make_studio_app(studio, settings),
                log_level="warning",
                access_log=False,
                ws="none",
                timeout_graceful_shutdown=2,  # a page left open holds a connection
            )
            port = listener.getsockname()[1]
            shown = f"[{settings.host}]" if ":" in settings.host else settings.host
            typer.echo(f"studio: http://{shown}:{port}/  (Ctrl-C ends it)")
            with signals.until_interrupted():
                uvicorn.Server(config).run(sockets=[listener])
            typer.echo("studio stopped")


def require_extra() -> None:
    """Raises MissingExtra when what the studio's extra brings is not here."""
    try:
        import python_multipart
        import starlette
        import uvicorn
    except ImportError as error:
        raise MissingExtra(
            f"the studio needs its extra ({error}): {install_command('ui')}"
        ) from None
    del python_multipart, starlette, uvicorn
