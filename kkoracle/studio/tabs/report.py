"""Report: what an evaluation found, and what the dataset is made of, each in a frame of its own."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import gradio as gr

from kkoracle.studio import markup, pages
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs.parts import own_html

DATASET = "the dataset"


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    which = gr.Dropdown(_choices(studio), value=None, label="Page")
    frame = own_html(elem_id="report")

    def prepare() -> list[Any]:
        choices = _choices(studio)
        first = choices[0][1] or None
        return [gr.update(choices=choices, value=first), show(first)]

    def show(run: str | None) -> str:
        if run is None:
            return markup.note("no report yet: `kkoracle evaluate` writes one")
        address = f"/pages/report/{quote(run, safe='')}" if run else "/pages/dataset"
        title = f"report of run {run}" if run else DATASET
        return (
            f'<iframe sandbox class="page" src="{address}" title="{markup.text(title)}">'
            f"</iframe><p>{_open(address)}</p>"
        )

    page.load(prepare, None, [which, frame], api_visibility="private")
    which.input(show, [which], [frame], api_name="report")


def _choices(studio: Studio) -> list[tuple[str, str]]:
    runs = pages.reports(studio.directory)
    return [*((f"report of run {run}", run) for run in runs), (DATASET, "")]


def _open(address: str) -> str:
    return f'<a href="{address}" target="_blank" rel="noopener">open in a tab of its own</a>'
