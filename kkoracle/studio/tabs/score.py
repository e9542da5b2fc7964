"""Score: a question, a guide and an answer go in, points come out, with how sure they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import gradio as gr

from exchange.errors import BadRecord, UserError
from exchange.html.plots import share_bars
from exchange.project import Project, runs_with
from kkoracle.studio.studio import Studio, note, render
from kkoracle.studio.systems import refuse_download
from kkoracle.studio.tabs import own_html
from trainer.dataset.readers import BadLine
from trainer.scorer import training
from trainer.scorer.apply import widest_scale
from trainer.scorer.fields import ReadOptions, parse_item
from trainer.scorer.folder import FILE, FOLDER, ScorerInfo
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.scoring import Scorer, ScoreResult


def scorer_names(project: Project) -> list[str]:
    """Names of those that can score, the newest first."""
    return [folder.name for folder in runs_with(project.data / FOLDER, FILE)]


class LoadedScorer:
    """A loaded scorer with what is known of it; belongs to the thread that loaded it."""

    def __init__(self, scorer: Scorer, about: ScorerInfo) -> None:
        self._scorer, self.about = scorer, about

    def score(self, question: str, guide: str, answer: str, maximum: float | None) -> ScoreResult:
        """One score.

        Args:
            maximum: None for the largest that the scorer was taught.

        Raises:
            UserError: it is no item that can be scored; the reason code is named.
        """
        try:
            row = {"question": question, "guide": guide, "answer": answer}
            usual = ReadOptions(maximum or widest_scale(self.about).maximum, self.about.language)
            item = parse_item(row, usual)
        except BadLine as bad:
            raise BadRecord(f"this cannot be scored: {str(bad).replace('_', ' ')}") from None
        return self._scorer.score([self._scaled(item)])[0]

    def _scaled(self, item: ScoreItem) -> ScoreItem:
        top = self.about.scales.get(f"{item.scale.maximum:g}")
        return replace(item, scale=ScoreScale(item.scale.maximum, top)) if top else item


@contextmanager
def open_scorer(project: Project, name: str) -> Iterator[LoadedScorer]:
    """Load a scorer.

    Raises:
        UserError: no such scorer, or its model is not on this machine.
    """
    scorer, about = training.load_scorer(project, name, refuse_download)
    yield LoadedScorer(scorer, about)


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
                lambda: open_scorer(studio.project, which),
                lambda desk: desk.score(q, g, a, most),
            )
        except UserError as error:
            return note(error, "wrong")
        return _score_html(scored)

    page.load(prepare, None, [name, found], api_visibility="private")
    send.click(score, [name, question, guide, answer, maximum], [found], api_name="score")


def _score_html(scored: ScoreResult) -> str:
    levels = {
        f"{scored.maximum * level / scored.top:g}": share
        for level, share in enumerate(scored.probabilities)
    }
    return render("score", scored, share_bars("How probable each score is", levels))
