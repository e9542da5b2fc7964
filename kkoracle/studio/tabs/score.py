"""Score: an answer, or a file of them, goes in; points come out, with how sure they are."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from markupsafe import Markup

from exchange.errors import NotFound, UserError
from exchange.html.plots import share_bars
from exchange.project import Project, runs_with
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.systems import refuse_download
from kkoracle.studio.tabs import own_html
from trainer.scorer import batch
from trainer.scorer.console import read_lines
from trainer.scorer.files import read_items
from trainer.scorer.folder import FILE, FOLDER
from trainer.scorer.loaded import LoadedScorer, open_scorer

T = TypeVar("T")


def scorer_names(project: Project) -> list[str]:
    """Names of those that can score, the newest first."""
    return [folder.name for folder in runs_with(project.data / FOLDER, FILE)]


def score_one(
    loaded: LoadedScorer, question: str, guide: str, answer: str, maximum: float | None
) -> dict[str, Any]:
    """One score with what stands beside it.

    Args:
        maximum: None for that of the question as it was taught, else the largest.

    Raises:
        BadRecord: it is no item that can be scored; the reason is named.
    """
    row = {"question": question, "guide": guide, "answer": answer}
    return loaded.explained(loaded.items([row | ({"maximum": maximum} if maximum else {})]))[0]


@dataclass(frozen=True, slots=True)
class ScoredFile:
    """A file of answers and what came of it."""

    said: list[str]  # about the rows that were read, and the scores
    headings: list[str]
    rows: list[list[str]]  # the first ones
    table: str  # the path of all of them


def score_file(loaded: LoadedScorer, file: Path) -> ScoredFile:
    """Score a file of answers into a table beside it.

    Raises:
        UserError: it is no file that can be read, or nothing in it can be scored.
    """
    options = loaded.options()
    found = read_items([file], options, scored=False)
    items = [loaded.fitted(item) for item in found.all]
    out = file.with_name(f"{file.stem}-scored.csv")
    out.unlink(missing_ok=True)
    done = batch.score_file(loaded, items, found.records, out)
    with out.open(encoding="utf-8-sig", newline="") as table:
        headings, *rows = islice(csv.reader(table), SHOWN + 1)
    said = f"{done.answers:,} answers scored, {done.abstained:,} of them unsure: ask a person"
    return ScoredFile([said, *read_lines(found, options, False)], headings, rows, str(out))


LONGEST = 50_000  # characters of each part
SHOWN = 200  # rows of a table on the page; the file holds all
KINDS = [".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".ods"]


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    with gr.Row():
        with gr.Column():
            name = gr.Dropdown(scorer_names(studio.project), label="Scorer")
            question = gr.Textbox(label="Question", lines=2, max_length=LONGEST)
            guide = gr.Textbox(
                label="Guide, or a reference answer (empty: as the question was taught)",
                lines=4,
                max_length=LONGEST,
            )
            answer = gr.Textbox(label="Answer", lines=4, max_length=LONGEST)
            maximum = gr.Number(0, label="Maximum (0: the scorer's own)")
            send = gr.Button("Score", variant="primary", elem_id="score-it")
        found = own_html(elem_id="score")
    file = gr.File(label="Or a file of answers", file_types=KINDS, elem_id="answers-file")
    told = own_html(elem_id="score-file")
    table = gr.Dataframe(visible=False, interactive=False, wrap=True, elem_id="scored")
    whole = gr.File(label="The table", visible=False, interactive=False)

    def prepare() -> list[Any]:
        known = scorer_names(studio.project)
        said = "" if known else note("no scorer yet: `kkoracle score train` makes one")
        return [gr.update(choices=known, value=known[0] if known else None), said]

    def use(which: str | None, work: Callable[[LoadedScorer], T]) -> T:
        if not which:
            raise NotFound("choose a scorer first")
        return studio.models.use(
            f"score {which}",
            lambda: nullcontext(open_scorer(studio.project, which, refuse_download)),
            work,
        )

    def score(which: str | None, q: str, g: str, a: str, most: float | None) -> str:
        try:
            return _score_html(use(which, lambda loaded: score_one(loaded, q, g, a, most)))
        except UserError as error:
            return note(error, "wrong")

    def score_all(which: str | None, path: str | None) -> list[Any]:
        if not path:
            return ["", gr.update(visible=False), gr.update(visible=False)]
        try:
            scored = use(which, lambda loaded: score_file(loaded, Path(path)))
        except UserError as error:
            return [note(error, "wrong"), gr.update(visible=False), gr.update(visible=False)]
        shown = gr.update(value=scored.rows, headers=scored.headings, visible=True)
        lines = Markup("").join(note(line) for line in scored.said)
        return [lines, shown, gr.update(value=scored.table, visible=True)]

    page.load(prepare, None, [name, found], api_visibility="private")
    send.click(score, [name, question, guide, answer, maximum], [found], api_name="score")
    file.change(score_all, [name, file], [told, table, whole], api_name="score_file")


def _score_html(scored: dict[str, Any]) -> str:
    levels = {
        f"{scored['maximum'] * level / scored['top']:g}": share
        for level, share in enumerate(scored["probabilities"])
    }
    return render("score", scored, share_bars("How probable each score is", levels))
