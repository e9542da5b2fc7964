"""Judge the systems of an evaluation: the scorer's points as one more metric of its folder.

A scorer that chose what was taught cannot alone say how well it was learned: what it likes was
fed to the tuned system. Then it judges only beside a sample that people scored, which it never
saw, and the metric says how far it agrees with them. Without one it refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import NotEnoughData, UserError
from trainer.dataset import Manifest
from trainer.dataset.build import FOLDER as DATASET
from trainer.evaluate.records import Evaluation, MetricInfo, as_dicts
from trainer.scorer import metrics
from trainer.scorer.folder import ScorerInfo
from trainer.scorer.items import ScoreItem
from trainer.scorer.scoring import Scorer
from trainer.scorer.split import ScorerSplit

METRIC = "scorer"
FEWEST = 30  # answers that people scored; agreement on fewer is chance
# QWK with people that a judge must be sure to have: "moderate" begins there (Landis and Koch 1977).
LEAST_AGREEMENT = 0.4


@dataclass(frozen=True, slots=True)
class JudgeTrust:
    """Why these figures may be believed."""

    filtered: bool  # a scorer chose rows of the dataset that was taught
    human: int  # answers of the human sample, 0 for none
    agreement: float  # quadratic weighted kappa on it
    low: float = 0.0  # ends of its 95 % interval, by bootstrap over the questions
    high: float = 0.0

    @property
    def said(self) -> str:
        """In words, for whoever reads the figures."""
        used = (
            "a scorer also filtered the training pairs"
            if self.filtered
            else ("no scorer filtered the training pairs")
        )
        people = (
            f"agreement with {self.human} answers scored by people: QWK {self.agreement:.2f} "
            f"({self.low:.2f} to {self.high:.2f})"
        )
        return f"{used}; {people if self.human else 'no human sample'}"


def check_trust(
    archive_dir: Path,
    evaluation: Evaluation,
    scorer: Scorer,
    taught: ScorerSplit,
    human: Sequence[ScoreItem],
) -> JudgeTrust:
    """Whether this scorer may judge this evaluation.

    Args:
        human: items scored by people; those the scorer was taught are left out.

    Raises:
        UserError: a scorer filtered the dataset, or nobody knows, and there is no human sample;
            or the sample is too small; or it does not show that scorer and people agree.
    """
    filtered = was_filtered(archive_dir, evaluation.about.dataset)
    seen = {item.said for item in taught.taught}
    fresh = [item for item in human if item.said not in seen]
    if not human and filtered:
        raise NotEnoughData(
            "a scorer chose the pairs that the tuned system learned, so it cannot alone say how "
            "well: give --human FILE with answers that people scored and it never saw"
        )
    if human and len(fresh) < FEWEST:
        raise NotEnoughData(
            f"{len(fresh)} of {len(human)} answers of the human sample are new to the scorer: "
            f"{FEWEST} are needed"
        )
    if not fresh:
        return JudgeTrust(filtered, 0, 0.0)
    doubt = metrics.measure_with_doubt(scorer.outcomes(fresh), [item.group for item in fresh])
    found = doubt["qwk"]
    trusted = JudgeTrust(filtered, len(fresh), found.value, found.low, found.high)
    if found.low < LEAST_AGREEMENT:
        raise NotEnoughData(
            f"this scorer may not judge: {trusted.said}, and an agreement of {LEAST_AGREEMENT} "
            "is to be shown, at the lower end; give more answers, or another scorer"
        )
    return trusted


def was_filtered(archive_dir: Path, dataset: str) -> bool:
    """Whether scores decided what this dataset holds; true too where nobody can know any more."""
    try:
        manifest = Manifest.read(archive_dir / DATASET)
    except UserError:
        return True
    return manifest.sha != dataset or bool(manifest.input.get("filtered"))


def judge_evaluation(
    evaluation: Evaluation,
    scorer: Scorer,
    about: ScorerInfo,
    trusted: JudgeTrust,
    language: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """The evaluation with one metric more: the share of the maximum that each answer earns.

    An answer of which the scorer is not sure counts as "n/a". The guide is the gold chunk, else
    the reference; items with neither are not looked at.
    """
    scale = about.usual_scale
    items = {
        name: item
        for name, item in evaluation.items.items()
        if (item.gold or item.reference) and not item.variant
    }
    asked = [
        (
            system,
            ScoreItem(
                f"{system}\n{name}",
                items[name].question,
                items[name].gold or items[name].reference,
                answer.text,
                scale,
                None,
                language,
            ),
        )
        for system, answers in evaluation.answers.items()
        for name, answer in answers.items()
        if name in items and not answer.error
    ]
    values: dict[str, dict[str, float | None]] = {}
    scored = scorer.score([item for _, item in asked], progress)
    for (system, _), one in zip(asked, scored, strict=True):
        name = one.id.partition("\n")[2]
        share = None if one.abstained else round(one.score / one.maximum, 4)
        values.setdefault(system, {})[name] = share
    metric = MetricInfo(
        METRIC,
        f"scorer|{about.key}|prompt:{about.prompt}:{about.prompt_sha}|T:{about.temperature:.3f}"
        f"|labels:{'human' if about.human else 'synthetic'}|filtered:{trusted.filtered}"
        f"|human:{trusted.human}|v:1",
        f"Points that the scorer gives, as a share of the maximum ({trusted.said}).",
        "share",
        "higher",
        tuple(dict.fromkeys(item.split for item in items.values())),
    )
    others = [raw for raw in evaluation.about.metrics if raw["name"] != METRIC]
    evaluation.scores[METRIC] = values
    evaluation.about = evaluation.about.replace(metrics=[*others, *as_dicts([metric])])
    return evaluation
