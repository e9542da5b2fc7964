"""The first screen of the page: the verdict, what it stands on, and whether the gate is passed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trainer.evaluate.report.build import EvaluationReport
from trainer.evaluate.report.comparisons import UNSEEN_SPLIT, SystemComparison
from trainer.evaluate.report.gate import GateCheck
from trainer.evaluate.report.html import (
    Html,
    bilingual,
    difference_interval,
    join,
    mean_value,
    metric,
    p_value,
    signed_difference,
    split,
    tag,
    text,
)
from trainer.evaluate.report.verdict import EvaluationVerdict


def summary_section(report: EvaluationReport) -> Html:
    """Verdict, reasons, facts, warnings, gate."""
    about = report.about
    main = report.declared[0] if report.declared else None
    facts = [
        ("use-case", report.choices.goal or about.archive),
        ("model", model_title(about.model)),
        ("asked", f"{main.questions:,}" if main else "0"),
        ("stories", f"{main.stories:,}" if main else "0"),
        ("gate", bilingual("passed" if report.passed else "failed")),
    ]
    return tag(
        "header",
        tag("h1", bilingual("title", archive=about.archive, run=about.run)),
        tag("p", _sentence(report.verdict), class_="verdict"),
        *(tag("p", reason, class_="because") for reason in _reasons(report)),
        tag(
            "ul",
            *(tag("li", bilingual(key), " ", tag("b", shown)) for key, shown in facts),
            class_="facts",
        ),
        tag("div", bilingual("few", few=report.few), class_="note worse") if report.few else "",
        *(tag("div", warning, class_="note") for warning in report.warnings),
        *map(_check, report.gate),
    )


def _sentence(verdict: EvaluationVerdict | None) -> Html:
    if verdict is None:
        return bilingual("nothing")
    if not verdict.decided:
        return bilingual("open", more=f"{verdict.more:,}")
    with_rag = verdict.decided == "fine-tune" and verdict.system.endswith("+rag")
    return bilingual("fine-tune-rag" if with_rag else verdict.decided)


def _reasons(report: EvaluationReport) -> Iterator[Html]:
    verdict = report.verdict
    if verdict is None or not verdict.because:
        return
    first = verdict.because[0]
    means = {
        side: mean
        for one in verdict.because
        for side, mean in ((one.one, one.mean_one), (one.other, one.mean_other))
    }
    others = ", ".join(
        f"{name} {mean_value(mean, first.unit)}"
        for name, mean in means.items()
        if name != verdict.system
    )
    yield bilingual(
        "because",
        metric=metric(verdict.metric),
        split=split(verdict.split),
        questions=f"{first.questions:,}",
        stories=f"{first.stories:,}",
        system=verdict.system,
        mean=mean_value(means.get(verdict.system), first.unit),
        others=others,
    )
    matters = join(
        (
            signed_difference(first.matters, first.unit).lstrip("+"),
            " ",
            bilingual("points") if first.unit == "share" else "",
        )
    )
    beaten = [
        one.adjusted
        for one in verdict.because
        if one.one == verdict.system and one.adjusted is not None
    ]
    if not verdict.decided:
        yield bilingual(
            "left-open",
            pairs=", ".join(map(_pair, verdict.because)),
            matters=matters,
            more=f"{verdict.more:,}",
        )
    elif beaten:
        yield bilingual("clearly", p=p_value(max(beaten)), matters=matters)
    else:
        yield bilingual("cheapest", matters=matters)
    yield from _beyond(report)


def _beyond(report: EvaluationReport) -> Iterator[Html]:
    """What is said of stories that nobody taught, and of the length of answers."""
    if not report.flips or not report.verdict:
        return
    one, other = report.flips.system, report.flips.against
    unseen = report.comparison(report.verdict.metric, UNSEEN_SPLIT, one, other)
    if unseen and report.verdict.split != UNSEEN_SPLIT:
        key = {"better": "unseen-gain", "worse": "unseen-loss"}.get(unseen.says, "no-unseen")
        yield bilingual(
            key,
            one=one,
            other=other,
            gain=signed_difference(unseen.gain, unseen.unit),
            interval=difference_interval(unseen.low, unseen.high, unseen.unit),
        )
    length = report.comparison("length", report.verdict.split, one, other)
    if length and length.says in ("higher", "lower"):
        yield bilingual(
            "terser" if length.says == "lower" else "wordier",
            system=one,
            against=other,
            one=f"{length.mean_one:.2f}",
            other=f"{length.mean_other:.2f}",
        )


def _pair(found: SystemComparison) -> str:
    return (
        f"{found.one} − {found.other} {signed_difference(found.gain, found.unit)} "
        f"{difference_interval(found.low, found.high, found.unit)}"
    )


def _check(check: GateCheck) -> Html:
    found = check.comparison
    tone = "note better" if check.passed else "note worse"
    if not found:
        return tag(
            "div", bilingual(f"gate-{check.outcome}", metric=metric(check.metric)), class_=tone
        )
    shown = {
        "metric": metric(check.metric),
        "gain": signed_difference(found.gain, found.unit),
        "interval": difference_interval(found.low, found.high, found.unit),
        "allowed": signed_difference(check.allowed, found.unit).lstrip("+"),
        "more": f"{check.more:,}",
    }
    return tag("div", bilingual(f"gate-{check.outcome}", **shown), class_=tone)


def model_title(model: str) -> str:
    """A model's name; of a folder only the last part, since the page may be sent to others."""
    return Path(model).name if model.startswith((".", "/", "~")) else model


def heading(name: str, key: str, **values: object) -> Html:
    """The head of a section, with the anchor it can be linked by."""
    return tag("h2", bilingual(key, **values), id=name)


def lead(key: str, **values: object) -> Html:
    """The sentence below a head."""
    return tag("p", bilingual(key, **values), class_="lead")


def section(*parts: object) -> Html:
    """A section, or nothing where none of its parts says anything."""
    return tag("section", join(parts)) if any(text(part) for part in parts) else Html("")
