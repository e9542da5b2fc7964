"""What all pages share: the archive, its threads, and how a page of ours is made."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib import resources
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote, urlencode, urlsplit

from exchange.display import format_bytes
from exchange.errors import BadFile, UsageError
from exchange.html.templates import environment, macro
from exchange.project import Project
from exchange.store.papers import papers_of
from exchange.text.controls import one_line
from kkoracle.settings import StudioSettings
from kkoracle.studio.commands import CommandRunner
from kkoracle.studio.threads import ModelThread, SingleThread

if TYPE_CHECKING:
    from pathlib import Path

    from markupsafe import Markup
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

PACKAGE = "kkoracle.studio"
STATIC: Path = resources.files(PACKAGE).joinpath("static")  # type: ignore[assignment]
# A page of others' words: no script, no request, no rights over the studio around it. Its images
# and styles are what was stored with it, in `data:` addresses.
SANDBOX = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SAID, SAID_S, LONGEST_SAID = "kkoracle-said", 60, 400  # a message that the next page shows once
PAGES = (
    ("overview", "Overview"),
    ("stories", "Stories"),
    ("pairs", "Pairs"),
    ("dataset", "Dataset"),
    ("runs", "Runs"),
    ("ask", "Ask"),
    ("score", "Score"),
    ("reports", "Reports"),
)


class Studio:
    """One archive's studio, or with no archive that of the scorers; use it as a context."""

    def __init__(self, project: Project, archive: str, settings: StudioSettings) -> None:
        self.project = project
        self.archive = archive
        self.directory = project.archive_dir(archive) if archive else project.data
        self.papers = papers_of(self.directory)  # of a folder that stands for several; else ()
        self.records = SingleThread("records")  # owns the connection to what people say
        self.models = ModelThread(project.data, settings.idle_minutes * 60)
        self.ending = threading.Event()  # what is done in the background looks at it
        self.commands = CommandRunner(project, self.directory)
        self.max_tokens = settings.max_tokens
        self.root_path = urlsplit(settings.public_url).path.rstrip("/")  # before every path of ours

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ending.set()
        self.models.close()
        self.records.close()

    def start_command(self, name: str, words: Sequence[str], *, alone: bool = False) -> None:
        """Start a command of this archive.

        Args:
            alone: it needs the GPU for itself: a model that is open here leaves the memory first.

        Raises:
            Busy: what was started under this name still runs.
        """
        if alone:
            self.models.let_go()
        self.commands.start(name, words)

    def folder(self, paper: str) -> Path:
        """Where the files of one newspaper are."""
        return self.directory.parent / paper if self.papers else self.directory

    def paper_of(self, values: Mapping[str, Any]) -> str:
        """The newspaper that an address or a form asks for; "" for all, or the only one.

        Raises:
            UsageError: this folder does not stand for it.
        """
        paper = str(values.get("paper", "") or "")
        if paper and paper not in self.papers:
            raise UsageError(f"{paper[:40]!r} is none of {', '.join(self.papers) or self.archive}")
        return paper

    def page(
        self, request: Request, template: str, *, status: int = 200, **values: object
    ) -> Response:
        """A page from its template, or its block `part` alone when the page asks for that anew."""
        from starlette.responses import HTMLResponse

        found = environment(PACKAGE).get_template(template)
        said = unquote(request.cookies.get(SAID, ""))
        path = request.url.path.removeprefix(self.root_path)
        query = f"?{request.url.query}" if request.url.query else ""
        values |= {
            "studio": self,
            "request": request,
            "here": f"{self.root_path}{path}{query}",  # for a part that asks for itself anew
            "said": one_line(said, LONGEST_SAID),
            "link": lambda page, /, **more: self.link(request, page, **more),
            "path": path,
            "pages": [(name, label) for name, label in PAGES if name in _names(request)],
        }
        part = request.headers.get("hx-target") == "part" and "part" in found.blocks
        if part:
            html = "".join(found.blocks["part"](found.new_context(values)))
        else:
            html = found.render(values)
        answer = HTMLResponse(html, status, headers={"Cache-Control": "no-store"})
        if said and not part:
            answer.delete_cookie(SAID, path=self.root_path or "/", httponly=True, samesite="strict")
        return answer

    def link(self, request: Request, page: str, /, **values: object) -> str:
        """The path of a page, as the browser has to ask for it.

        Args:
            values: what the page's address holds; the rest is its query, without what is empty.
        """
        wanted = {}
        for route in request.app.routes:
            if route.name == page:
                wanted = {key: values.pop(key) for key in list(values) if key in _params(route)}
        made = request.app.url_path_for(page, **wanted)
        asked = {key: value for key, value in values.items() if value not in (None, "", False)}
        query = f"?{urlencode(asked, doseq=True)}" if asked else ""
        return f"{self.root_path}{made}{query}"

    def redirect(
        self, request: Request, page: str, /, said: str = "", **values: object
    ) -> Response:
        """Lead the browser on after something was changed; the next page shows `said` once."""
        return self.redirect_to(self.link(request, page, **values), said)

    def redirect_to(self, address: str, said: str = "") -> Response:
        """The same to an address of ours that `link` made."""
        from starlette.responses import RedirectResponse

        answer = RedirectResponse(address, 303)
        if said:
            answer.set_cookie(
                SAID,
                quote(one_line(said, LONGEST_SAID)),
                max_age=SAID_S,
                path=self.root_path or "/",
                httponly=True,
                samesite="strict",
            )
        return answer


def sandboxed(html: str) -> Response:
    """A page of others' words, as a page without rights."""
    from starlette.responses import HTMLResponse

    headers = {"Content-Security-Policy": SANDBOX, "Cache-Control": "no-store"}
    return HTMLResponse(html, headers=headers)


def form_action(
    change: Callable[[Request, FormData], Response],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """An endpoint that reads the form that was sent and has it dealt with in a thread."""

    async def answer(request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        length = request.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > FORM_BYTES:
            raise BadFile(f"a form or file may have {format_bytes(FORM_BYTES)}: send it in parts")
        async with request.form(max_files=1, max_fields=MAX_FIELDS) as form:
            return await run_in_threadpool(change, request, form)

    return answer


FORM_BYTES = 32 * 1024 * 1024  # with a file of answers; ten thousand are a tenth of it
MAX_FIELDS = 5_000  # of one form: as many pairs as may be ticked


def field(form: FormData, name: str, longest: int = 10_000) -> str:
    """A text of a form; "" where there is none, or a file in its place."""
    value = form.get(name, "")
    return value[:longest].strip() if isinstance(value, str) else ""


def whole_number(value: str, default: int) -> int:
    """A number of a query, or the default where somebody wrote something else."""
    with contextlib.suppress(ValueError):
        return int(value)
    return default


def render(name: str, *values: object) -> Markup:
    """One piece of HTML, made by a macro of `templates/macros.html.j2`: every value stays text."""
    return macro(PACKAGE, "macros.html.j2", name, *values)


def _names(request: Request) -> set[str]:
    """Of the pages that this studio has: without an archive there are few."""
    return {route.name for route in request.app.routes}


def _params(route: Any) -> set[str]:
    return set(getattr(route, "param_convertors", {}))
