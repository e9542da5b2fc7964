"""Score: a question, a guide and an answer go in, points come out, with how sure they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gradio as gr

from exchange.errors import BadRecord, UserError
from exchange.html.plots import share_bars
from exchange.project import Project, runs_with
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.systems import refuse_download
from kkoracle.studio.tabs import own_html
from trainer.dataset.readers import BadLine
from trainer.scorer.fields import ReadOptions
from trainer.scorer.folder import FILE, FOLDER
from trainer.scorer.loaded import LoadedScorer, open_scorer


def scorer_names(project: Project) -> list[str]:
    """Names of those that can score, the newest first."""
    return [folder.name for folder in runs_with(project.data / FOLDER, FILE)]


def score_one(
    loaded: LoadedScorer, question: str, guide: str, answer: str, maximum: float | None
) -> dict[str, Any]:
    """One score with what stands beside it.

    Args:
        maximum: None for the largest that the scorer was taught.

    Raises:
        UserError: it is no item that can be scored; the reason code is named.
    """
    try:
        row = {"question": question, "guide": guide, "answer": answer}
        item = loaded.item(row, ReadOptions(maximum or 0.0))
    except BadLine as bad:
        raise BadRecord(f"this cannot be scored: {str(bad).replace('_', ' ')}") from None
    return loaded.explained([item])[0]


@contextmanager
def opened(project: Project, name: str) -> Iterator[LoadedScorer]:
    """A scorer, for the thread that keeps models."""
    yield open_scorer(project, name, refuse_download)


LONGEST = 50_000  # characters of each part


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    with gr.Row():
        with gr.Column():
            name = gr.Dropdown(scorer_names(studio.project), label="Scorer")
            question = gr.Textbox(label="Question", lines=2, max_length=LONGEST)
            guide = gr.Textbox(label="Guide, or a reference answer", lines=4, max_length=LONGEST)
            answer = gr.Textbox(label="Answer", lines=4, max_length=LONGEST)
            maximum = gr.Number(0, label="Maximum (0: the scorer's own)")
            send = gr.Button("Score", variant="primary", elem_id="score-it")
        found = own_html(elem_id="score")

    def prepare() -> list[Any]:
        known = scorer_names(studio.project)
        said = "" if known else note("no scorer yet: `kkoracle score train` makes one")
        return [gr.update(choices=known, value=known[0] if known else None), said]

    def score(which: str | None, q: str, g: str, a: str, most: float | None) -> str:
        if not which:
            return note("choose a scorer first", "wrong")
        try:
            scored = studio.models.use(
                f"score {which}",
                lambda: opened(studio.project, which),
                lambda loaded: score_one(loaded, q, g, a, most),
            )
        except UserError as error:
            return note(error, "wrong")
        return _score_html(scored)

    page.load(prepare, None, [name, found], api_visibility="private")
    send.click(score, [name, question, guide, answer, maximum], [found], api_name="score")


def _score_html(scored: dict[str, Any]) -> str:
    levels = {
        f"{scored['maximum'] * level / scored['top']:g}": share
        for level, share in enumerate(scored["probabilities"])
    }
    return render("score", scored, share_bars("How probable each score is", levels))
