"""What a run is asked before it may answer in place of the one before, and what decides.

It must have learned what is new, and lost none of what was known: the facts that earlier runs were
taught (held against what was known of each when it was first promoted, so that small losses do not
add up day by day), general questions (held against the base), keeping to the text, and saying that
one does not know.

Every figure is a paired difference with its 95 % interval, clustered by story. The worst end
counts: what an interval is too wide to tell does not pass.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from exchange.inference import models
from exchange.project import Project, run_dir
from trainer.evaluate.records import EvalItem
from trainer.promote import versions
from trainer.promote.questions import (
    BASE,
    BEFORE,
    RUN,
    GateHooks,
    GateInterview,
    GateQuestions,
    Scores,
    read_questions,
)
from trainer.promote.settings import PromoteSettings
from trainer.promote.versions import CheckedFigure, Promotion
from trainer.statistics import PairedDifference, paired_difference, within_shares
from trainer.training.runs import TrainingRun
from trainer.tuned_model import find_tuned_model, trained_on

FLOOR = 0.02  # of a share: what is near zero has no tenth to lose


def judge_run(
    project: Project,
    archive: str | None,
    name: str,
    settings: PromoteSettings,
    *,
    language_model: models.ModelSettings | None = None,
    hooks: GateHooks | None = None,
) -> Promotion:
    """Decide about a run, and write the decision beside its adapter; nothing is promoted yet.

    One that was decided about is not asked again. Every answer is kept as it comes, so that the
    same call goes on after a kill. Evaluates MLX: a process that called this must not fork.

    Raises:
        UserError: no such run, another model, no dataset, the GPU in use, stopped.
    """
    hooks = hooks or GateHooks()
    archive_dir = project.archive_dir(archive)
    run = TrainingRun(archive_dir, name)
    if decided := Promotion.read(run.folder):
        return decided
    found = find_tuned_model(
        project, archive, name, language_model=language_model, confirm=hooks.confirm
    )
    before = versions.promoted(archive_dir)
    if before and not trained_on(before, found.config.model_sha):
        hooks.note(f"{before.name} was trained on another model: the base is what counts")
        before = None
    questions = read_questions(archive_dir, found.adapter, project.language(archive), settings)
    model = found.base, found.config.model_sha
    interview = GateInterview(project, archive_dir, *model, questions, hooks)
    scores = interview.scores(found.adapter, before)
    known = (Promotion.read(before) if before else None) or Promotion("", "", True, False, "")
    facts = questions.old or questions.new  # what the one before was never taught it invents
    checks = [
        _learned(scores, questions, before),
        _kept(scores, questions, known.known, settings),
        _compared("general", scores, "forgetting", questions.general, BASE, settings),
        _compared("grounded", scores, "groundedness", facts, BEFORE, settings),
        _compared("refusals", scores, "abstention", questions.absent, BEFORE, settings),
    ]
    decided = decide(name, before.name if before else "", checks)
    if decided.passed:
        learned = {one.id: _value(scores, "choice", RUN, one) for one in questions.new}
        first = {item: value for item, value in learned.items() if value is not None}
        decided = replace(decided, known=first | known.known)
    decided.save(run.folder)
    return decided


def decide(run: str, against: str, checks: Sequence[CheckedFigure]) -> Promotion:
    """What follows from the checks."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        said = next((check.why for check in checks if check.name == "learned"), "")
        return Promotion(run, against, True, False, said, tuple(checks))
    harmful = any(check.outcome == "worse" for check in failed)
    reason = "; ".join(check.why for check in failed)
    return Promotion(run, against, False, harmful, reason, tuple(checks))


def _value(scores: Scores, metric: str, system: str, item: EvalItem) -> float | None:
    return scores.get(metric, {}).get(system, {}).get(item.id)


def _difference(
    items: Sequence[EvalItem],
    mine: Callable[[EvalItem], float | None],
    theirs: Callable[[EvalItem], float | None],
) -> PairedDifference | None:
    """Over the items at which both have a value; None of fewer than two stories."""
    both = [
        (one, other, item.cluster)
        for item in items
        if (one := mine(item)) is not None and (other := theirs(item)) is not None
    ]
    if not both:
        return None
    ours, others, clusters = zip(*both, strict=True)
    return paired_difference(ours, others, clusters)


def _learned(scores: Scores, questions: GateQuestions, before: Path | None) -> CheckedFigure:
    """The new facts are known better than by the run before: clear of zero."""
    value = partial(_value, scores, "choice")
    found = _difference(questions.new, partial(value, RUN), partial(value, BEFORE))
    if found is None:
        return CheckedFigure(
            "learned", "too wide", "new facts of two stories at least are needed to see a gain"
        )
    who = before.name if before else "the base"
    told = f"new facts {found.other:.0%} to {found.one:.0%} ({_interval(found)})"
    if found.gain.low > 0:
        return _figure("learned", "passed", told, found)
    if found.gain.mean > 0:
        few = f"{told}: {found.clusters} stories are too few to be sure of it"
        return _figure("learned", "too wide", few, found)
    return _figure("learned", "not learned", f"{told}: no more than {who} knows", found)


def _kept(
    scores: Scores,
    questions: GateQuestions,
    known: Mapping[str, float],
    settings: PromoteSettings,
) -> CheckedFigure:
    """Old facts, each held against what was known of it as it was first promoted."""
    value = partial(_value, scores, "choice")
    found = _difference(
        questions.old,
        partial(value, RUN),
        lambda item: known.get(item.id, value(BEFORE, item)),
    )
    return _held("kept", "old facts", found, settings)


def _compared(
    name: str,
    scores: Scores,
    metric: str,
    items: Sequence[EvalItem],
    other: str,
    settings: PromoteSettings,
) -> CheckedFigure:
    value = partial(_value, scores, metric)
    found = _difference(items, partial(value, RUN), partial(value, other))
    return _held(name, _NAMES[name], found, settings)


_NAMES = {
    "general": "general answers",
    "grounded": "answers that keep to the text",
    "refusals": "saying that one does not know",
}


def _held(
    name: str, about: str, found: PairedDifference | None, settings: PromoteSettings
) -> CheckedFigure:
    """Passed if even the worst end of the interval loses no more than is allowed."""
    if found is None:
        return CheckedFigure(name, "not measured", f"{about}: not measured")
    allowed = max(settings.allowed * found.other, FLOOR)
    told = f"{about} {found.other:.1%} to {found.one:.1%} ({_interval(found)})"
    if found.gain.low >= -allowed:
        return _figure(name, "passed", told, found, allowed)
    limit = f"{100 * allowed:.1f} points may be lost at the worst end"
    if found.gain.high < 0 or found.gain.mean < -allowed:
        return _figure(name, "worse", f"{told}: lost, {limit}", found, allowed)
    return _figure(name, "too wide", f"{told}: too wide to tell, {limit}", found, allowed)


def _figure(
    name: str, outcome: str, why: str, found: PairedDifference, allowed: float = 0.0
) -> CheckedFigure:
    low, high = within_shares(found.gain.low, found.gain.high)
    return CheckedFigure(
        name,
        outcome,
        why,
        value=round(found.one, 6),
        before=round(found.other, 6),
        gain=round(found.gain.mean, 6),
        low=round(low, 6),
        high=round(high, 6),
        allowed=round(allowed, 6),
        questions=found.questions,
        stories=found.clusters,
    )


def _interval(found: PairedDifference) -> str:
    low, high = within_shares(found.gain.low, found.gain.high)
    return f"{100 * found.gain.mean:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def promote_run(archive_dir: Path, decided: Promotion) -> bool:
    """Let a run answer that has passed; whether it does."""
    if not decided.passed:
        return False
    if versions.promoted(archive_dir) != run_dir(archive_dir, decided.run).resolve():
        versions.point_to(archive_dir, decided.run)
    return True
