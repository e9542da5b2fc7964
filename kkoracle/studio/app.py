"""The studio as one application: Gradio's page behind our guard, and the framed pages."""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from exchange.errors import UserError
from exchange.net import RequestFence
from kkoracle.settings import StudioSettings
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.tabs import compare, overview, review, score

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

    def __init__(self, app: Any, fence: RequestFence) -> None:
        self._app = app
        self._fence = fence

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # Gradio asks over HTTP alone
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

        async def fenced(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                if all(name.lower() != _POLICY for name, _ in headers):
                    headers.append((_POLICY, POLICY.encode()))
                message = {**message, "headers": headers + _ALWAYS}
            await send(message)

        await self._app(scope, receive, fenced)


UPLOAD_BYTES = 32 * 1024 * 1024  # a file of answers to score; ten thousand are a tenth of it
SANS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONO = ["ui-monospace", "Menlo", "Consolas", "monospace"]


def make_studio_app(studio: Studio, settings: StudioSettings) -> Any:
    """The whole application, for an ASGI server."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    if studio.archive:
        _add_framed_pages(app, studio)
    gr.mount_gradio_app(
        app,
        _blocks(studio),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        max_file_size=UPLOAD_BYTES,
        theme=gr.themes.Base(font=SANS, font_mono=MONO),
        css=_static_file("studio.css"),
        head=f"<script>{_static_file('keys.js')}</script>",
    )
    login = (settings.user, settings.password) if settings.password else None
    return RequestGuard(app, RequestFence("this studio", settings.host, login))


def _add_framed_pages(app: FastAPI, studio: Studio) -> None:
    dataset = overview.DatasetPage(studio.directory)

    @app.get("/pages/report/{run}")
    def report_of(run: str) -> HTMLResponse:
        return _sandboxed(lambda: overview.report_html(studio.directory, run))

    @app.get("/pages/dataset")
    def dataset_page() -> HTMLResponse:
        return _sandboxed(dataset.html)


def _blocks(studio: Studio) -> gr.Blocks:
    title = f"kkoracle: {studio.archive or 'scorers'}"
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        # Only then does Gradio 6 refuse a file that nobody uploaded, any path of this machine: it
        # holds a page that is mounted, and not launched, for one that is still being written.
        page.has_launched = True
        gr.HTML(render("heading", title))
        if not studio.archive:
            score.build(studio, page)
            return page
        with gr.Tabs():
            with gr.Tab("Status"):
                overview.build_status(studio, page)
            with gr.Tab("Plots") as counted:
                overview.build_plots(studio, counted)
            with gr.Tab("Review") as read:
                review.build(studio, read)
            with gr.Tab("Compare"):
                compare.build(studio, page)
            with gr.Tab("Score"):
                score.build(studio, page)
            with gr.Tab("Report"):
                overview.build_report(studio, page)
    return page


def _sandboxed(html: Any) -> HTMLResponse:
    headers = {"Content-Security-Policy": SANDBOX, "Cache-Control": "no-store"}
    try:
        return HTMLResponse(html(), headers=headers)
    except UserError as error:
        return HTMLResponse(note(error), status_code=404, headers=headers)


def _static_file(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text("utf-8")
