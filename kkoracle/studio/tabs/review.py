"""Review: a pair with its chunk; accept, edit, reject, skip, undo; and the sessions behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gradio as gr

from exchange.errors import NotFound, UserError
from exchange.store.review import Review
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.tabs import own_html
from trainer.review.session import REASONS, ReviewSession, open_review, self_agreement

PAIRS_PER_SESSION = 100  # pairs of a session; the next one begins by itself


@dataclass(frozen=True, slots=True)
class ReviewPage:
    """What the page shows; without a pair only what is said."""

    pair: str = ""
    header: str = ""
    chunk: str = ""
    question: str = ""
    answer: str = ""
    about: str = ""
    said: str = ""
    wrong: bool = False


class ReviewSessions:
    """The sessions of one archive by reviewer. All of it belongs to one thread."""

    def __init__(self, archive_dir: Path) -> None:
        self._directory = archive_dir
        self._sessions: dict[str, ReviewSession] = {}

    def show(self, reviewer: str) -> ReviewPage:
        """Where this reviewer is."""
        try:
            return self._shown(self._session(reviewer))
        except UserError as error:
            return ReviewPage(said=str(error))

    def accept(self, reviewer: str, pair: str, question: str, answer: str) -> ReviewPage:
        """Right, or right as edited here."""
        if not question.strip() or not answer.strip():
            return self._wrong(reviewer, "a pair needs a question and an answer")
        return self._on(
            reviewer, pair, lambda session: session.accept(question.strip(), answer.strip())
        )

    def reject(self, reviewer: str, pair: str, reason: str) -> ReviewPage:
        """Not fit to be taught."""
        if not reason:
            return self._wrong(reviewer, "why? choose a reason first")
        return self._on(reviewer, pair, lambda session: session.reject(reason))

    def skip(self, reviewer: str, pair: str) -> ReviewPage:
        """Say nothing of this one."""
        return self._on(reviewer, pair, ReviewSession.skip)

    def undo(self, reviewer: str) -> ReviewPage:
        """Show the pair before, and take back what was said of it."""
        session = self._sessions.get(reviewer)
        if session is None or not session.undo():
            return self._wrong(reviewer, "this is the first pair of this session")
        return replace(self._shown(session), said="one pair back")

    def _on(self, reviewer: str, pair: str, act: Callable[[ReviewSession], None]) -> ReviewPage:
        try:
            session = self._session(reviewer)
            if session.item is None or session.item.pair.pair.id != pair:
                return self._wrong(reviewer, "another pair was shown meanwhile; here it is")
            act(session)
        except UserError as error:
            return ReviewPage(said=str(error), wrong=True)
        return self.show(reviewer)

    def _wrong(self, reviewer: str, said: str) -> ReviewPage:
        return replace(self.show(reviewer), said=said, wrong=True)

    def _session(self, reviewer: str) -> ReviewSession:
        session = self._sessions.get(reviewer)
        if session is None or session.item is None:
            session = open_review(self._directory, PAIRS_PER_SESSION, reviewer)
            self._sessions[reviewer] = session
        return session

    def _shown(self, session: ReviewSession) -> ReviewPage:
        item = session.item
        if item is None:
            raise NotFound("this session is over")
        pair = item.pair.pair
        about = [f"{session.index + 1} of {len(session.items)}", pair.kind]
        if item.confidence is not None:
            about.append(f"confidence {item.confidence:.2f}")
        if item.again:
            about.append("shown before")
        review = Review.open(self._directory)
        found = self_agreement(review)
        review.close()
        if found.pairs:
            about.append(f"agreement with yourself {found.same} of {found.pairs}")
        about.append(f"{session.labelled} labels in this session")
        return ReviewPage(
            pair.id, item.header, item.chunk, pair.question, pair.answer, " · ".join(about)
        )


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
    chunk = render("chunk", shown.header, shown.chunk) if shown.pair else ""
    said = note(shown.said, "wrong" if shown.wrong else "note") if shown.said else ""
    return [
        shown.pair,
        chunk,
        shown.question,
        shown.answer,
        note(shown.about) if shown.about else "",
        said,
        None,
    ]
