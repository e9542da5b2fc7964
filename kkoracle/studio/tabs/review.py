"""Review: a pair with its chunk; accept, edit, reject, skip, undo."""

from __future__ import annotations

from typing import Any

import gradio as gr

from kkoracle.studio import markup
from kkoracle.studio.review_sessions import ReviewPage, ReviewSessions
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs import own_html
from trainer.review.session import REASONS

LONGEST = 4000  # characters of an edited text


def build(studio: Studio, tab: gr.Tab) -> None:
    """Put the tab on the page; pairs are chosen when it is first looked at."""
    desk = ReviewSessions(studio.directory)
    run = studio.records.run

    with gr.Row():
        with gr.Column(scale=3):
            chunk = own_html(elem_id="chunk")
        with gr.Column(scale=2):
            about = own_html()
            question = gr.Textbox(label="Question", lines=2, max_length=LONGEST)
            answer = gr.Textbox(label="Answer", lines=3, max_length=LONGEST)
            with gr.Row():
                accept = gr.Button("Accept (a)", variant="primary", elem_id="key-a", min_width=90)
                skip = gr.Button("Skip (s)", elem_id="key-s", min_width=90)
                undo = gr.Button("Undo (u)", elem_id="key-u", min_width=90)
            reason = gr.Radio(list(REASONS), label="Reason", value=None)
            reject = gr.Button("Reject (r)", variant="stop", elem_id="key-r")
            said = own_html()
            reviewer = gr.Textbox(label="Reviewer", value="me", max_length=64)
    pair = gr.Textbox(visible=False, label="pair")
    outputs = [pair, chunk, question, answer, about, said, reason]

    def show(name: str) -> list[Any]:
        return _page_outputs(run(lambda: desk.show(name)))

    def on_accept(name: str, shown: str, q: str, a: str) -> list[Any]:
        return _page_outputs(run(lambda: desk.accept(name, shown, q, a)))

    def on_reject(name: str, shown: str, why: str | None) -> list[Any]:
        return _page_outputs(run(lambda: desk.reject(name, shown, why or "")))

    def on_skip(name: str, shown: str) -> list[Any]:
        return _page_outputs(run(lambda: desk.skip(name, shown)))

    def on_undo(name: str) -> list[Any]:
        return _page_outputs(run(lambda: desk.undo(name)))

    accept.click(on_accept, [reviewer, pair, question, answer], outputs, api_name="accept")
    reject.click(on_reject, [reviewer, pair, reason], outputs, api_name="reject")
    skip.click(on_skip, [reviewer, pair], outputs, api_name="skip")
    undo.click(on_undo, [reviewer], outputs, api_name="undo")
    reviewer.submit(show, [reviewer], outputs, api_visibility="private")
    tab.select(show, [reviewer], outputs, api_name="review")


def _page_outputs(shown: ReviewPage) -> list[Any]:
    chunk = markup.render("chunk", shown.header, shown.chunk) if shown.pair else ""
    said = markup.note(shown.said, "wrong" if shown.wrong else "note") if shown.said else ""
    return [
        shown.pair,
        chunk,
        shown.question,
        shown.answer,
        markup.note(shown.about) if shown.about else "",
        said,
        None,
    ]
