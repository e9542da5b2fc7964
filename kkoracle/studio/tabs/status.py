"""Status: what `kkoracle status` says, and pages and pairs over time. Looks again by itself."""

from __future__ import annotations

import time

import gradio as gr

from exchange.errors import UserError
from kkoracle.status import Status, look
from kkoracle.status.show import lines
from kkoracle.studio import figures, markup
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs.parts import own_html

EVERY_S = 10  # between two looks of a page that stands open


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    screen = own_html(elem_id="status")
    plots = own_html(elem_id="progress")

    def show() -> tuple[str, str]:
        try:
            found = look(studio.house, studio.archive)
            return _screen(found), markup.plots(figures.progress(studio.directory, found))
        except UserError as error:
            return markup.note(error), ""

    page.load(show, None, [screen, plots], api_name="status")
    # Without the queue, so that a model that is answering does not hold it up.
    gr.Timer(EVERY_S).tick(
        show, None, [screen, plots], api_visibility="private", queue=False, show_progress="hidden"
    )


def _screen(found: Status) -> str:
    problems = "".join(
        markup.note(one.text, "note" if one.code == "stopped" else "wrong")
        for one in found.problems
    )
    at = time.strftime("%H:%M:%S")
    return (problems or markup.note("nothing needs you", "fine")) + markup.facts(
        [*lines(found), ("looked at", at)]
    )
