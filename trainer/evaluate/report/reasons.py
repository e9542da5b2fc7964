"""What the first screen says: the verdict, what it stands on, and what it does not say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trainer.evaluate.report import strings
from trainer.evaluate.report.build import EvaluationReport
from trainer.evaluate.report.comparisons import UNSEEN_SPLIT, SystemComparison
from trainer.evaluate.report.strings import (
    difference_interval,
    mean_value,
    named,
    p_value,
    phrase,
    signed_difference,
    split_title,
)
from trainer.evaluate.report.unknown import UnknownQuestions
from trainer.evaluate.report.verdict import EvaluationVerdict

Phrase = tuple[str, dict[str, Any]]  # a key of the texts, with what fills its places


def verdict_phrase(report: EvaluationReport) -> Phrase:
    """What to do, in a word or two."""
    return _phrase_of(report.verdict)


def _phrase_of(verdict: EvaluationVerdict | None) -> Phrase:
    if verdict is None:
        return "nothing", {}
    if not verdict.decided:
        return "open", {"more": f"{verdict.more:,}"}
    with_rag = verdict.decided == "fine-tune" and verdict.system.endswith("+rag")
    return "fine-tune-rag" if with_rag else verdict.decided, {}


def verdict_reasons(report: EvaluationReport) -> Iterator[Phrase]:
    """What the verdict stands on, and what it does not say."""
    from markupsafe import Markup

    verdict = report.verdict
    if verdict is None or not verdict.because:
        return
    first = verdict.because[0]
    means = {
        side: mean
        for one in verdict.because
        for side, mean in ((one.one, one.mean_one), (one.other, one.mean_other))
    }
    yield (
        "because",
        {
            "metric": named("metrics", verdict.metric),
            "split": split_title(verdict.split),
            "questions": f"{first.questions:,}",
            "stories": f"{first.stories:,}",
            "system": verdict.system,
            "mean": mean_value(means.get(verdict.system), first.unit),
            "others": ", ".join(
                f"{name} {mean_value(mean, first.unit)}"
                for name, mean in means.items()
                if name != verdict.system
            ),
        },
    )
    limit = signed_difference(first.matters, first.unit).lstrip("+")
    matters = Markup("{} {}").format(limit, phrase("points") if first.unit == "share" else "")
    beaten = [
        one.adjusted
        for one in verdict.because
        if one.one == verdict.system and one.adjusted is not None
    ]
    if not verdict.decided:
        pairs = ", ".join(f"{one.one} − {one.other} {shown_gain(one)}" for one in verdict.because)
        yield "left-open", {"pairs": pairs, "matters": matters, "more": f"{verdict.more:,}"}
    elif beaten:
        yield "clearly", {"p": p_value(max(beaten)), "matters": matters}
    else:
        yield "cheapest", {"matters": matters}
    if report.unknown:
        yield "unknown-verdict", _unknown_values(report.unknown)
    yield from _beyond_the_verdict(report)


def _unknown_values(found: UnknownQuestions) -> dict[str, Any]:
    key, values = _phrase_of(found.verdict)
    unit = found.declared[0].unit
    return {
        "questions": f"{found.questions:,}",
        "asked": f"{found.asked:,}",
        "verdict": phrase(key, **values),
        "means": ", ".join(f"{name} {mean_value(m, unit)}" for name, m in found.means.items()),
    }


def _beyond_the_verdict(report: EvaluationReport) -> Iterator[Phrase]:
    """What is said of stories that nobody taught, and of the length of answers."""
    if not report.flips or not report.verdict:
        return
    one, other = report.flips.system, report.flips.against
    unseen = report.comparison(report.verdict.metric, UNSEEN_SPLIT, one, other)
    if unseen and report.verdict.split != UNSEEN_SPLIT:
        key = {"better": "unseen-gain", "worse": "unseen-loss"}.get(unseen.says, "no-unseen")
        yield key, {"one": one, "other": other, **gain_values(unseen)}
    length = report.comparison("length", report.verdict.split, one, other)
    if length and length.says in ("higher", "lower"):
        yield (
            "terser" if length.says == "lower" else "wordier",
            {
                "system": one,
                "against": other,
                "one": f"{length.mean_one:.2f}",
                "other": f"{length.mean_other:.2f}",
            },
        )


def shown_gain(one: SystemComparison) -> str:
    """A difference with its interval."""
    return strings.gain_with_interval(one.gain, one.low, one.high, one.unit)


def gain_values(one: SystemComparison) -> dict[str, str]:
    """What fills the places of a phrase about a difference."""
    return {
        "gain": signed_difference(one.gain, one.unit),
        "interval": difference_interval(one.low, one.high, one.unit),
    }
