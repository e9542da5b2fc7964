"""Plots: coverage by year, reasons of rejection, losses of a run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from exchange.errors import UserError
from kkoracle.status import look
from kkoracle.studio import figures, markup
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs.parts import own_html


def build(studio: Studio, tab: gr.Tab) -> None:
    """Put the tab on the page; what it shows is counted when it is first looked at."""
    again = gr.Button("Count again", size="sm", scale=0)
    drawn = own_html(elem_id="counted")
    run = gr.Dropdown(figures.runs(studio.directory), label="Run")
    losses = own_html(elem_id="losses")

    def count() -> list[Any]:
        names = figures.runs(studio.directory)
        first = names[0] if names else None
        return [_counted(studio), gr.update(choices=names, value=first), loss(first)]

    def loss(name: str | None) -> str:
        if not name:
            return markup.note("no run yet: `kkoracle train` begins one")
        try:
            return figures.losses(studio.directory, name) or markup.note("no step yet")
        except UserError as error:
            return markup.note(error, "wrong")

    again.click(count, None, [drawn, run, losses], api_name="plots")
    run.input(loss, [run], [losses], api_name="losses")
    tab.select(count, None, [drawn, run, losses], api_visibility="private")


def _counted(studio: Studio) -> str:
    """What can be drawn; pairs may be here although no page is, as after an import."""
    drawn = []
    for draw in (
        lambda: figures.coverage(studio.house, studio.archive),
        lambda: figures.rejections(look(studio.house, studio.archive)),
    ):
        try:
            drawn.append(draw())
        except UserError as error:
            drawn.append(markup.note(error))
    return markup.plots("".join(drawn))
