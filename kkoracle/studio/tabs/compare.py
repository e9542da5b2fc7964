"""Compare: one question to several systems, a blind vote, who it was, and where it is from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr

from exchange.errors import UserError
from exchange.store.review import Review, Vote
from kkoracle.studio import comparison
from kkoracle.studio.comparison import ComparisonRound
from kkoracle.studio.studio import Studio, render
from kkoracle.studio.studio import note as markup_note
from kkoracle.studio.systems import (
    LONGEST_QUESTION,
    StudioSystems,
    open_systems,
    runs_with_adapter,
    system_names,
)
from kkoracle.studio.tabs import own_html
from trainer.chat.session import SYSTEMS

LOADING_NOTE = "loading the model; the first question waits for it ..."
SLOW_NOTE = "A worker generates on this machine: the model is in memory twice and both go slower."
NO_RUN = "no run: base alone"


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    with gr.Row():
        run = gr.Dropdown(_runs(studio), label="Run", scale=1)
        chosen = gr.CheckboxGroup(SYSTEMS, label="Who is asked", scale=2)
        blind = gr.Checkbox(True, label="Blind: names after the vote", scale=1)
    question = gr.Textbox(
        label="Question", max_length=LONGEST_QUESTION, elem_id="question", submit_btn="Ask"
    )
    said = own_html()
    answers = own_html(elem_id="answers")
    with gr.Group(visible=False) as ballot:
        choice = gr.Radio([*comparison.LETTERS, *comparison.OTHER_CHOICES], label="Which is best?")
        better = gr.Textbox(label="A better answer (if you know one)", max_length=LONGEST_QUESTION)
        send = gr.Button("Vote and reveal", variant="primary")
    with gr.Row():
        files = own_html(elem_id="files")
        let_go = gr.Button("Unload the model", size="sm", scale=0, min_width=160)
    votes = own_html(elem_id="votes")
    talk = gr.State([])
    ask_outputs = [talk, said, answers, ballot, choice, better, files, question]

    def prepare() -> list[Any]:
        runs = _runs(studio)
        first = runs[0][1]
        return [gr.update(choices=runs, value=first), change(first), _votes(studio)]

    def change(name: str) -> Any:
        asked = system_names(name)
        return gr.update(choices=asked, value=asked[: 3 if name else 2])

    def ask(
        said_before: list[ComparisonRound], text: str, name: str, systems: list[str], unseen: bool
    ) -> Iterator[list[Any]]:
        text = text.strip()
        wrong = _refusal(studio, text, name, systems)
        if wrong:
            yield [said_before, markup_note(wrong, "wrong"), *[gr.skip()] * 6]
            return
        order = [one for one in system_names(name) if one in systems]
        of = comparison.begin_round(text, name, order, unseen)
        note = markup_note(SLOW_NOTE) if studio.models.busy_elsewhere() else ""
        if studio.models.loaded != _key(name):
            waiting = note + markup_note(LOADING_NOTE)
            yield [said_before, waiting, _cards(of), *_hide_ballot(), gr.skip(), text]
        try:
            for system in of.systems:
                given = studio.models.use(
                    _key(name),
                    lambda: open_systems(studio.project, studio.archive, name, lambda _: None),
                    partial(
                        StudioSystems.ask, name=system, question=text, max_tokens=studio.max_tokens
                    ),
                )
                of = replace(of, given=(*of.given, given))
                if not of.whole:
                    yield [said_before, note, _cards(of), *_hide_ballot(), gr.skip(), text]
        except UserError as error:
            yield [said_before, markup_note(error, "wrong"), "", *_hide_ballot(), gr.skip(), text]
            return
        now = [*said_before, of]
        yield [
            now,
            note,
            _cards(of),
            gr.update(visible=True),
            gr.update(choices=of.choices, value=None),
            "",
            _downloads(studio, now),
            "",
        ]

    def vote(now: list[ComparisonRound], choice: str | None, better: str) -> list[Any]:
        if not now or now[-1].said or choice not in now[-1].choices:
            return [now, markup_note("ask first, then choose one", "wrong"), *[gr.skip()] * 4]
        of, stored = comparison.record_vote(now[-1], choice, better.strip(), "me")
        studio.records.run(lambda: _store(studio, stored))
        now = [*now[:-1], of]
        return [
            now,
            markup_note(f"stored: {of.said}"),
            _cards(of),
            gr.update(visible=False),
            _downloads(studio, now),
            _votes(studio),
        ]

    def free() -> str:
        studio.models.let_go()
        return markup_note("the model has left the memory")

    page.load(prepare, None, [run, chosen, votes], api_visibility="private")
    run.input(change, [run], [chosen], api_visibility="private")
    question.submit(
        ask, [talk, question, run, chosen, blind], ask_outputs, api_name="ask", concurrency_limit=1
    )
    send.click(
        vote, [talk, choice, better], [talk, said, answers, ballot, files, votes], api_name="vote"
    )
    let_go.click(free, None, [said], api_name="let_go")


def _runs(studio: Studio) -> list[tuple[str, str]]:
    return [
        *((name, name) for name in runs_with_adapter(studio.project, studio.archive)),
        (NO_RUN, ""),
    ]


def _key(run: str) -> str:
    return f"compare {run}"


def _refusal(studio: Studio, text: str, run: str, systems: Sequence[str]) -> str:
    if not text:
        return "write a question first"
    if len(text) > LONGEST_QUESTION:
        return f"a question has {LONGEST_QUESTION} characters at most"
    if run and run not in runs_with_adapter(studio.project, studio.archive):
        return f"no run {run!r} with an adapter: `kkoracle train` makes one"
    if not set(systems) & set(system_names(run)):
        return "choose at least one that is asked"
    return ""


def _hide_ballot() -> list[Any]:
    """No ballot while answers are coming."""
    return [gr.update(visible=False), gr.skip(), gr.skip()]


def _store(studio: Studio, vote: Vote) -> None:
    review = Review.open(studio.directory)
    try:
        review.add_vote(vote)
    finally:
        review.close()


def _cards(of: ComparisonRound) -> str:
    return render("cards", of)


def _downloads(studio: Studio, talk: Sequence[ComparisonRound]) -> str:
    return comparison.download_links(
        f"{studio.archive}-talk", f"{studio.archive}: questions and answers", talk
    )


def _votes(studio: Studio) -> str:
    review = Review.read(studio.directory)
    if review is None:
        return ""
    try:
        found = comparison.count_votes(review.votes())
    finally:
        review.close()
    rows = [
        (system, shown, best, f"{best / shown:.0%}", blind) for system, shown, best, blind in found
    ]
    heads = ("votes", "shown", "best", "share", "blindly")
    return render("table", heads, rows) if rows else ""
