"""Score: a question, a guide and an answer go in, points come out, with how sure they are."""

from __future__ import annotations

from typing import Any

import gradio as gr

from exchange.errors import UserError
from exchange.html.plots import share_bars
from kkoracle.studio import markup, scorer
from kkoracle.studio.studio import Studio
from kkoracle.studio.tabs import own_html
from trainer.scorer.scoring import ScoreResult

LONGEST = 50_000  # characters of each part


def build(studio: Studio, page: gr.Blocks) -> None:
    """Put the tab on the page."""
    with gr.Row():
        with gr.Column():
            name = gr.Dropdown(scorer.scorer_names(studio.project), label="Scorer")
            question = gr.Textbox(label="Question", lines=2, max_length=LONGEST)
            guide = gr.Textbox(label="Guide, or a reference answer", lines=4, max_length=LONGEST)
            answer = gr.Textbox(label="Answer", lines=4, max_length=LONGEST)
            maximum = gr.Number(0, label="Maximum (0: the scorer's own)")
            send = gr.Button("Score", variant="primary", elem_id="score-it")
        found = own_html(elem_id="score")

    def prepare() -> list[Any]:
        known = scorer.scorer_names(studio.project)
        said = "" if known else markup.note("no scorer yet: `kkoracle score train` makes one")
        return [gr.update(choices=known, value=known[0] if known else None), said]

    def score(which: str | None, q: str, g: str, a: str, most: float | None) -> str:
        if not which:
            return markup.note("choose a scorer first", "wrong")
        try:
            scored = studio.models.use(
                f"score {which}",
                lambda: scorer.open_scorer(studio.project, which),
                lambda desk: desk.score(q, g, a, most),
            )
        except UserError as error:
            return markup.note(error, "wrong")
        return _score_html(scored)

    page.load(prepare, None, [name, found], api_visibility="private")
    send.click(score, [name, question, guide, answer, maximum], [found], api_name="score")


def _score_html(scored: ScoreResult) -> str:
    levels = {
        f"{scored.maximum * level / scored.top:g}": share
        for level, share in enumerate(scored.probabilities)
    }
    return markup.render("score", scored, share_bars("How probable each score is", levels))
