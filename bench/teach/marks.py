"""What base and taught models know, closed book and with search; pooled over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from bench.demo import questions, recall
from bench.demo.questions import HELD_OUT, TAUGHT, ClosedBookTest
from bench.demo.recall import WIDTH, SystemMarks
from bench.demo.results import DemoResults, folded_words
from bench.registry import Figures, Log
from bench.teach.ways import TaughtWay, training_figures
from trainer.dataset import read_split
from trainer.dataset.build import FOLDER
from trainer.evaluate.metrics import MetricInput, is_right
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report.selective import selective_answers
from trainer.statistics import ClusteredEstimate, clustered_mean

COVERAGE = 0.8
RECALL = "test_recall"
WITH_RAG = ("tuned+rag", "base+rag")


@dataclass(frozen=True, slots=True)
class Marks:
    """For every question that no way was trained on: the base's marks and those of every run."""

    held: ClosedBookTest
    base: SystemMarks
    tuned: Mapping[Path, SystemMarks]  # by adapter

    @classmethod
    def ask(cls, demo: Path, taught: Sequence[TaughtWay], log: Log) -> Marks:
        """Ask every run. Evaluates MLX: do not fork after it."""
        from exchange.inference.engine import BASE, TUNED
        from exchange.inference.mlx.engine import MlxEngine

        printed = DemoResults.read(demo)
        held = questions.read(printed)
        known = {
            folded_words(row.question)
            for one in taught
            for row in read_split(one.archive / FOLDER, TAUGHT)
        }
        held = held.without(known)
        base: SystemMarks | None = None
        tuned = {}
        asked = [(one.adapter(run), one.way.scale) for one in taught for run in one.runs]
        for adapter, scale in asked:
            engine = MlxEngine(
                printed.model, name="demo", width=WIDTH, adapter=adapter, scales=(scale,)
            )
            base = base or recall.marks(engine, BASE, held)
            tuned[adapter] = recall.marks(engine, TUNED, held)
            log(f"{adapter.name} has answered")
        assert base is not None, "no way was taught"
        return cls(held, base, tuned)

    def base_figures(self) -> Figures:
        """What is asked, and the base's shares."""
        return {
            **self.held.figures(),
            "base_recall": _share(self._of(TAUGHT, self.base.choice)),
            "base_exact": _share(self._of(TAUGHT, self.base.exact)),
            "base_unseen": _share(self._of(HELD_OUT, self.base.choice)),
        }

    def figures(self, one: TaughtWay) -> Figures:
        """All of one way."""
        marks = [self.tuned[one.adapter(run)] for run in one.runs]
        found: Figures = {}
        for name, split, base, tuned in (
            ("recall", TAUGHT, self.base.choice, [each.choice for each in marks]),
            ("exact", TAUGHT, self.base.exact, [each.exact for each in marks]),
            ("unseen", HELD_OUT, self.base.choice, [each.choice for each in marks]),
            ("unseen_exact", HELD_OUT, self.base.exact, [each.exact for each in marks]),
        ):
            after = self._of(split, [fmean(values) for values in zip(*tuned, strict=True)])
            before = self._of(split, base)
            clusters = [item.cluster for item in self.held.items if item.split == split]
            gains = [now - was for now, was in zip(after, before, strict=True)]
            found[f"{one.way.name}_{name}"] = _share(after)
            _put(found, f"{one.way.name}_{name}_gain", clustered_mean(gains, clusters))
        evaluations = [Evaluation.read(one.evaluation(run)) for run in one.runs]
        for name, values in (
            ("abstained", [_values(each, "abstention", "tuned+abstain") for each in evaluations]),
            ("invented", [_invented(each, "tuned+abstain") for each in evaluations]),
            ("declined", [_values(each, "abstention", "tuned") for each in evaluations]),
            ("made_up", [_invented(each, "tuned") for each in evaluations]),
            ("gave_up", [_gave_up(each) for each in evaluations]),
            ("forgetting", [_values(each, "forgetting", "tuned", "base") for each in evaluations]),
            ("with_rag", [_values(each, "choice", *WITH_RAG) for each in evaluations]),
            ("with_rag_exact", [_values(each, "exact", *WITH_RAG) for each in evaluations]),
        ):
            _put(found, f"{one.way.name}_{name}", pooled(values))
        for each, run in zip(evaluations, one.runs, strict=True):
            answers = selective_answers(each, "tuned+abstain")
            row = answers.at(COVERAGE) if answers else None
            found[f"{run}_selective"] = [row.gain, row.low, row.high] if row else None
        return {**found, **training_figures(one)}

    def _of(self, split: str, values: Sequence[float]) -> list[float]:
        chosen = zip(self.held.items, values, strict=True)
        return [value for item, value in chosen if item.split == split]


Run = dict[str, tuple[str, float]]  # of one run: by item, its cluster and its value


def _values(evaluation: Evaluation, metric: str, system: str, other: str = "") -> Run:
    """A system's values, minus another's where one is named."""
    scores = evaluation.scores.get(metric, {})
    mine, theirs = scores.get(system, {}), scores.get(other, {})
    found: Run = {}
    for name, value in mine.items():
        less = theirs.get(name) if other else 0.0
        if value is not None and less is not None:
            found[name] = (evaluation.items[name].cluster, value - less)
    return found


def _invented(evaluation: Evaluation, system: str) -> Run:
    """1 for a question about a story never taught that got an answer, and a wrong one."""
    found: Run = {}
    for name, answer in evaluation.answers[system].items():
        item = evaluation.items[name]
        if item.split == HELD_OUT:
            right = is_right(MetricInput(item, answer)) or 0.0
            said = not answer.withheld and not declines(answer.text)
            found[name] = (item.cluster, float(said and not right))
    return found


def _gave_up(evaluation: Evaluation) -> Run:
    """1 for a taught question in other words that the model itself declines."""
    items = evaluation.items
    return {
        name: (items[name].cluster, float(declines(answer.text)))
        for name, answer in evaluation.answers["tuned"].items()
        if items[name].split == RECALL
    }


def pooled(runs: Sequence[Run]) -> ClusteredEstimate | None:
    """The mean of the items' means over the runs."""
    names = [name for name in runs[0] if all(name in run for run in runs)]
    clusters = [runs[0][name][0] for name in names]
    if len(set(clusters)) < 2:
        return None
    return clustered_mean([fmean(run[name][1] for run in runs) for name in names], clusters)


def _share(values: Sequence[float]) -> float | None:
    return round(fmean(values), 4) if values else None


def _put(found: Figures, name: str, estimate: ClusteredEstimate | None) -> None:
    """A figure and both ends of its interval; nulls where there are too few stories."""
    found[name] = round(estimate.mean, 4) if estimate else None
    found[f"{name}_low"] = round(estimate.low, 4) if estimate else None
    found[f"{name}_high"] = round(estimate.high, 4) if estimate else None
