"""What the models of a life know: facts of its first morning, and of its newest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.demo.results import folded_words
from bench.live.lives import FinishedLife
from bench.registry import Figures, Log
from kkoracle.demo.plan import MODEL
from trainer import tokenization
from trainer.dataset import DatasetRow, read_split
from trainer.evaluate.items.distractors import DistractorIndex
from trainer.evaluate.metrics.likelihood import is_most_probable
from trainer.promote.versions import Promotion
from trainer.statistics import paired_difference
from trainer.training.row_selection import NEW, read_ids

WIDTH = 32


@dataclass(frozen=True, slots=True)
class TaughtQuestion:
    """One question about a taught fact; `answers[0]` is true."""

    question: str
    answers: tuple[str, ...]
    cluster: str
    own: bool  # in the words in which it was taught


def figures(life: FinishedLife, log: Log) -> Figures:
    """What was kept of the first morning, and what the newest has brought."""
    promoted = [one for one in life.mornings if one.outcome == "promoted"]
    if len(promoted) < 2:
        return {"kept_low": None, "new_gain_low": None}
    runs = life.archive / "runs"
    first, last = (runs / promoted[place].run for place in (0, -1))
    decided = Promotion.read(last)
    before = runs / (decided.against if decided and decided.against else first.name)
    dataset = life.archive / "dataset"
    rows = [row for row in read_split(dataset, "train") if row.is_fact]
    told = _wordings(life)
    index = DistractorIndex(rows)
    old = _questions(rows, read_ids(first / NEW), told, index)
    new = _questions(rows, read_ids(last / NEW), told, index)
    log(f"asking {len(old)} questions about the first morning, {len(new)} about the newest")
    after = {run.name: _marks(run, [*old, *new]) for run in {first, before, last}}
    found: Figures = {}
    for name, questions, start, one, other in (
        ("kept", old, 0, last, first),
        ("new_gain", new, len(old), last, before),
    ):
        for suffix, own in (("", True), ("_other_words", False)):
            chosen = [n for n, asked in enumerate(questions) if asked.own == own]
            marks = [[after[run.name][start + n] for n in chosen] for run in (one, other)]
            gained = paired_difference(marks[0], marks[1], [questions[n].cluster for n in chosen])
            found |= {
                f"{name}{suffix}": round(gained.gain.mean, 4) if gained else None,
                f"{name}{suffix}_low": round(gained.gain.low, 4) if gained else None,
                f"{name}{suffix}_high": round(gained.gain.high, 4) if gained else None,
                f"{name}{suffix}_known": round(gained.one, 4) if gained else None,
                f"{name}{suffix}_questions": len(chosen),
            }
    return found


def _wordings(life: FinishedLife) -> dict[str, tuple[str, str]]:
    """The truth's other wordings of a question, by its folded words."""
    return {
        folded_words(fact.question): fact.rephrasings
        for morning in life.printed
        if not morning.poisoned
        for story in morning.stories
        for fact in story.facts
    }


def _questions(
    rows: Sequence[DatasetRow],
    ids: frozenset[str],
    told: dict[str, tuple[str, str]],
    index: DistractorIndex,
) -> list[TaughtQuestion]:
    found = []
    for row in rows:
        wrong = index.distractors(row) if row.id in ids else ()
        if wrong:
            answers = (row.answer, *wrong)
            found.append(TaughtQuestion(row.question, answers, row.cluster, own=True))
            found += [
                TaughtQuestion(question, answers, row.cluster, own=False)
                for question in told.get(folded_words(row.question), ())
            ]
    return found


def _marks(run: Path, asked: Sequence[TaughtQuestion]) -> list[float]:
    """1.0 where the run's model finds the true answer most probable. Evaluates MLX."""
    from exchange.inference.engine import TUNED
    from exchange.inference.mlx.engine import MlxEngine

    engine = MlxEngine(MODEL, name=MODEL.name, width=WIDTH, adapter=run)
    prompts = [tokenization.chat_messages(one.question) for one in asked for _ in one.answers]
    completions = [answer for one in asked for answer in one.answers]
    values = iter(engine.loglikelihood(prompts, completions, model=TUNED))
    marks = []
    for one in asked:
        true, *wrong = (next(values).mean for _ in one.answers)
        marks.append(is_most_probable(true, wrong))
    engine.close()
    return marks
