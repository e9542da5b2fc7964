"""Reports: listed, opened without rights, and two of them side by side with what lies between."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kkoracle.live.record import LiveRecord
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, Server, ask, foreign, get
from tests.trainer.evaluate import planted
from trainer.evaluate.report import FIGURES, PAGE, ReportOptions, write_report
from trainer.evaluate.report.side_by_side import FigureDifference, ReportFigures, compare_reports

PRESS = "document.querySelector('.pager button').click()"
WEAK, STRONG = "weak", "strong"


def evaluate(archive: Path, run: str, taught: float, seed: int) -> Path:
    """A run whose tuned model knows that share of what it was taught."""
    folder = archive / "runs" / run / "evaluation"
    systems = [planted.SIX[0], planted.Planted("tuned", "tuned", taught, 0.28)]
    found = planted.evaluation(systems, seed=seed)
    found.write(folder)
    write_report(folder, archive, ReportOptions(language="en"))
    return folder


@pytest.fixture(scope="module")
def reports(server: Server) -> Iterator[dict[str, Path]]:
    archive = server.desk.archive
    made = {run: evaluate(archive, run, taught, 5) for run, taught in ((WEAK, 0.5), (STRONG, 0.9))}
    yield made
    for folder in made.values():
        for path in sorted(folder.parent.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.parent.rmdir()


def figure(found: list[FigureDifference], metric: str, split: str, system: str) -> FigureDifference:
    (one,) = [f for f in found if (f.metric, f.split, f.system) == (metric, split, system)]
    return one


def test_what_lies_between_two_reports_has_its_interval_and_its_reading(
    reports: dict[str, Path],
) -> None:
    weak, strong = (ReportFigures.read(reports[run]) for run in (WEAK, STRONG))
    up = figure(compare_reports(weak, strong), "choice", "test_recall", "tuned")
    down = figure(compare_reports(strong, weak), "choice", "test_recall", "tuned")
    assert up.one and up.other and up.one.mean and up.other.mean
    assert up.difference == pytest.approx(up.other.mean - up.one.mean)
    assert up.low and up.high and 0 < up.low < up.difference < up.high
    assert up.high - up.low > up.other.high - up.other.low  # type: ignore[operator]
    assert (up.says, down.says) == ("better", "worse")
    assert figure(compare_reports(weak, strong), "bits", "test_recall", "tuned").says == "better"
    base = figure(compare_reports(weak, strong), "choice", "test_recall", "base")
    assert base.says == "unclear" and base.low < 0 < base.high  # type: ignore[operator]


def test_what_only_one_of_them_measured_stands_alone(reports: dict[str, Path]) -> None:
    weak = ReportFigures.read(reports[WEAK])
    less = ReportFigures(**{n: getattr(weak, n) for n in ReportFigures.__slots__} | {"cells": []})
    assert all(one.other is None and one.says == "" for one in compare_reports(weak, less))
    assert compare_reports(less, less) == []


def test_two_are_ticked_and_seen_side_by_side(
    browser: Browser, server: Server, reports: dict[str, Path]
) -> None:
    tick = "document.querySelector('input[type=checkbox][value={}]').click()"
    seen = browser.look(
        f"{server.url}/reports",
        "document.querySelectorAll('tbody input').length >= 2",
        (tick.format(WEAK), "true"),
        (tick.format(STRONG), "true"),
        (PRESS, "location.pathname === '/reports/compare'"),
        ("", "document.querySelector('.compared .chip') !== null"),
    )
    assert foreign(seen, server.url) == set()
    assert "Knowledge (choosing the true answer)" in seen["dom"]
    assert re.search(r"\[[+−][\d.]+, [+−][\d.]+\]", seen["dom"])


def test_a_report_is_opened_in_a_frame_without_rights(
    browser: Browser, server: Server, reports: dict[str, Path]
) -> None:
    page = reports[WEAK] / PAGE
    page.write_text(
        f"<!doctype html><title>r</title><h1>Report</h1>{EVIL}"
        "<script>parent.owned = 'yes'</script>",
        "utf-8",
    )
    later = ("setTimeout(() => { window.later = true }, 500)", "window.later")
    seen = browser.look(f"{server.url}/reports/{WEAK}", "frames.length === 1", later)
    assert seen["owned"] is None and 'sandbox=""' in seen["dom"]
    assert foreign(seen, server.url) == set()
    status, _, headers = ask(f"{server.url}/reports/{WEAK}/page")
    assert status == 200
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    alone = browser.look(f"{server.url}/reports/{WEAK}/page", "document.title === 'r'")
    assert alone["owned"] is None


def test_what_is_damaged_or_missing_is_one_line(server: Server, reports: dict[str, Path]) -> None:
    figures = reports[STRONG] / FIGURES
    whole = figures.read_bytes()
    figures.write_text(json.dumps({"sentence": EVIL}), "utf-8")
    page = get(f"{server.url}/reports")
    assert "is unusable" in page and EVIL not in page
    assert "is unusable" in get(f"{server.url}/runs/{STRONG}")
    figures.write_bytes(whole)
    for path in ("reports/none", "reports/none/page", "reports/%2e%2e", "reports/compare?run=weak"):
        assert ask(f"{server.url}/{path}")[0] in (400, 404), path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_are_for_everybody(
    browser: Browser, server: Server, reports: dict[str, Path], width: int, scheme: str
) -> None:
    ready = "document.querySelector('h1') !== null"
    for path in ("reports", f"reports/{STRONG}", f"reports/compare?run={WEAK}&run={STRONG}"):
        url = f"{server.url}/{path}"
        assert not browser.faults(url, ready, width=width, scheme=scheme), path


def test_mornings_are_shown_day_by_day_as_a_page_without_rights(server: Server) -> None:
    assert "No morning yet" in ask(f"{server.url}/mornings")[1]
    record = LiveRecord.open(server.desk.archive)
    record.add(1, "begun", pairs=12, stories=4)
    record.add(1, "judged", passed=False, reason=f"old facts were lost {EVIL}", checks=[])
    record.close()
    try:
        assert ">1 morning<" in ask(f"{server.url}/reports")[1]
        assert "mornings/page" in ask(f"{server.url}/mornings")[1]
        status, body, headers = ask(f"{server.url}/mornings/page")
        assert status == 200 and "old facts were lost" in body and EVIL not in body
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    finally:
        for path in server.desk.archive.glob("live.sqlite*"):
            path.unlink()
