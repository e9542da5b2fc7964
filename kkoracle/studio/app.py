"""The studio as one application: Gradio's page behind our guard, and the framed pages."""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr
from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from exchange.errors import UserError
from kkoracle.settings import StudioSettings
from kkoracle.studio import markup, pages
from kkoracle.studio.guard import SANDBOX, RequestGuard
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs import compare, overview, review, score

UPLOAD_BYTES = 1024  # nothing here takes a file, and Gradio cannot be told so
SANS = ["system-ui", "-apple-system", "Segoe UI", "sans-serif"]
MONO = ["ui-monospace", "Menlo", "Consolas", "monospace"]


def make_studio_app(studio: Studio, settings: StudioSettings) -> Any:
    """The whole application, for an ASGI server."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    dataset = pages.DatasetPage(studio.directory)

    @app.get("/pages/report/{run}")
    def report_of(run: str) -> HTMLResponse:
        return _sandboxed(lambda: pages.report_html(studio.directory, run))

    @app.get("/pages/dataset")
    def dataset_page() -> HTMLResponse:
        return _sandboxed(dataset.html)

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
    return RequestGuard(app, settings.host, login)


def _blocks(studio: Studio) -> gr.Blocks:
    title = f"kkoracle: {studio.archive}"
    with gr.Blocks(title=title, analytics_enabled=False, fill_width=True) as page:
        gr.HTML(markup.render("heading", title))
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
        return HTMLResponse(markup.note(error), status_code=404, headers=headers)


def _static_file(name: str) -> str:
    return resources.files(__package__).joinpath("static", name).read_text("utf-8")
