"""The page: one file that needs nothing else, runs nothing and asks nobody.

The policy in its head forbids every request and every script, so that even text which slipped
through the escaping could do nothing.
"""

from __future__ import annotations

from pathlib import Path

from trainer.evaluate.report import closing, middle
from trainer.evaluate.report.html import LANGUAGES, Html, join, tag, text
from trainer.evaluate.report.making import Report
from trainer.evaluate.report.opening import opening

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NAMES = {"el": "Ελληνικά", "en": "English"}
_STYLE = Path(__file__).with_name("style.css")


def render(report: Report, items_file: str, figures_file: str) -> str:
    """The whole page.

    Args:
        items_file: name of the file with every question, to be named.
        figures_file: the same of the figures.
    """
    first = report.choices.language if report.choices.language in LANGUAGES else "en"
    title = f"{report.about.archive}: {report.sentence}"
    head = join(
        (
            Html('<meta charset="utf-8">'),
            Html(f'<meta http-equiv="Content-Security-Policy" content="{text(POLICY)}">'),
            Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            tag("title", title),
            tag("style", Html(_STYLE.read_text("utf-8"))),
        )
    )
    choices = join(
        Html(
            f'<input class="choice" type="radio" name="language" id="{name}"'
            f"{' checked' if name == first else ''}>"
        )
        for name in LANGUAGES
    )
    labels = tag(
        "div", *(tag("label", _NAMES[name], for_=name) for name in LANGUAGES), class_="languages"
    )
    main = tag(
        "main",
        opening(report),
        middle.differences(report),
        middle.beside(report),
        middle.everything(report),
        middle.slices(report),
        middle.flips(report, items_file),
        closing.calibration(report),
        closing.judge(report),
        closing.losses(report),
        closing.coverage(report),
        closing.costs(report),
        closing.made(report),
        closing.footer(figures_file),
    )
    body = tag("body", choices, labels, main)
    return f'<!doctype html>\n<html lang="{first}"><head>{head}</head>{body}</html>\n'
