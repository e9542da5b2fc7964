"""The rest of the page: calibration, the judge, training, archive, costs, and how it was made."""

from __future__ import annotations

import orjson

from trainer.evaluate.report.build import EvaluationReport
from trainer.evaluate.report.html import (
    Html,
    bilingual,
    counted,
    join,
    mean_interval,
    mean_value,
    metric,
    table,
    tag,
)
from trainer.evaluate.report.plots import curve, reliability
from trainer.evaluate.report.summary import heading, lead, model_title, section


def calibration(report: EvaluationReport) -> Html:
    """One small plot a system."""
    if not report.calibration:
        return Html("")
    plots = [
        tag(
            "div",
            tag("h3", one.system),
            tag("p", f"ECE {one.error:.3f} [{one.low:.3f}, {one.high:.3f}]", class_="lead"),
            reliability([(b.confidence, b.right, b.count) for b in one.bins]),
        )
        for one in report.calibration
    ]
    return section(
        heading("calibration", "calibration"),
        lead("calibration-lead"),
        tag("div", *plots, class_="plots"),
    )


def judge(report: EvaluationReport) -> Html:
    """The audit first; preferences only of a judge that passed it."""
    audit = report.audit
    if audit is None:
        return section(heading("judge", "judge"), lead("no-judge"))
    shown = {
        "judge": model_title(audit.judge),
        "reason": audit.reason,
        "first": mean_value(audit.first_share, "share"),
    }
    faults = [
        (
            one.fault,
            one.asked,
            mean_value(one.share, "share"),
            mean_interval(one.low, one.high, "share"),
        )
        for one in report.caught
    ]
    pairs = [
        (
            f"{one.one} / {one.other}",
            one.questions,
            mean_value(one.share, "share"),
            mean_interval(one.low, one.high, "share"),
        )
        for one in report.judged
    ]
    human = ", ".join(f"{key} {figure}" for key, figure in audit.human.items())
    return section(
        heading("judge", "judge"),
        lead("judge-passed" if audit.passed else "judge-failed", **shown),
        tag("p", bilingual("human", human=human)) if human else "",
        table(
            (bilingual("fault"), bilingual("asked"), bilingual("caught"), bilingual("interval")),
            faults,
        ),
        table(
            (bilingual("pair"), bilingual("asked"), bilingual("preferred"), bilingual("interval")),
            pairs,
        )
        if pairs
        else "",
    )


def losses(report: EvaluationReport) -> Html:
    """The run's curve."""
    around = report.surroundings
    drawn = curve(around.train_losses, around.valid_losses)
    if not drawn:
        return Html("")
    return section(heading("losses", "losses"), lead("losses-lead"), drawn)


def coverage(report: EvaluationReport) -> Html:
    """Stories by year and section, and how many of the chunks were taught."""
    around = report.surroundings
    highest = max((count for counts in around.stories.values() for count in counts), default=0)
    if not highest:
        return Html("")
    head = tag("thead", tag("tr", tag("th"), *(tag("th", name) for name in around.sections)))
    body = tag(
        "tbody",
        *(
            tag(
                "tr",
                tag("th", year),
                *(
                    tag(
                        "td",
                        f"{count:,}" if count else "",
                        style=f"background:rgba(75,120,166,{0.75 * count / highest:.2f})",
                    )
                    for count in counts
                ),
            )
            for year, counts in around.stories.items()
        ),
    )
    funnel = [join((counted(name), f" {count:,}")) for name, count in report.about.coverage.items()]
    return section(
        heading("coverage", "coverage"),
        lead("coverage-lead"),
        tag("ul", *(tag("li", one) for one in funnel), class_="facts"),
        tag("div", tag("table", head, body, class_="heat"), class_="wide"),
    )


def costs(report: EvaluationReport) -> Html:
    """The training once, and a line for each system's answers."""
    training = report.training
    rows = [
        (
            one.system,
            f"{one.answers:,}",
            f"{one.tokens_in:,.0f}",
            f"{one.tokens_out:,.0f}",
            f"{one.seconds:.3g}",
            f"{one.kwh:.2g}",
            f"{one.cut:,}",
            f"{one.failed:,}",
        )
        for one in report.answering
    ]
    head = [
        bilingual(key)
        for key in (
            "system",
            "answers",
            "tokens-in",
            "tokens-out",
            "seconds",
            "kwh",
            "cut",
            "errors",
        )
    ]
    paid = training and bilingual(
        "costs-training",
        hours=f"{training.hours:.2g}",
        tokens=f"{training.tokens:,}",
        memory=f"{training.peak_gb:.2g}",
        kwh=f"{training.kwh:.2g}",
        watts=f"{training.watts:g}",
    )
    return section(
        heading("costs", "costs"), tag("p", paid) if paid else "", table(head, rows) if rows else ""
    )


def made(report: EvaluationReport) -> Html:
    """Command, hashes, metrics' signatures, settings: all that is needed to do it again."""
    about = report.about
    hashes = [
        ("model", f"{model_title(about.model)} ({about.model_sha})"),
        ("run", f"{about.run}, {about.checkpoint}"),
        ("adapter", about.adapter or "-"),
        ("dataset", about.dataset),
        ("chunks", about.corpus),
        ("started", about.started),
        *((f"{system.name}", f"{system.about} ({system.key})") for system in report.systems),
        *((f"{one.name}", one.signature) for one in report.metrics),
        *([("judge", report.audit.signature)] if report.audit else []),
    ]
    settings = orjson.dumps(about.settings, option=orjson.OPT_INDENT_2).decode()
    rows = tag(
        "tbody",
        *(
            tag("tr", tag("th", name, scope="row"), tag("td", shown, class_="code"))
            for name, shown in hashes
        ),
    )
    measures = [(metric(one.name), tag("span", one.about)) for one in report.metrics]
    return section(
        heading("made", "made"),
        lead("made-lead"),
        tag("pre", about.command),
        tag("div", tag("table", rows), class_="wide"),
        tag("h3", bilingual("measures")),
        tag(
            "div",
            tag(
                "table",
                tag(
                    "tbody",
                    *(
                        tag("tr", tag("th", name, scope="row"), tag("td", shown, class_="left"))
                        for name, shown in measures
                    ),
                ),
            ),
            class_="wide",
        ),
        tag("h3", bilingual("settings")),
        tag("pre", settings),
    )


def footer(file: str) -> Html:
    """The last line."""
    return tag("footer", join((bilingual("footer", file=file),)))
