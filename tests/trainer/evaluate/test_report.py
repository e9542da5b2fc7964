"""The report's files: whole, small, in two languages, and deaf to what a model or a page wrote."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from exchange.errors import UserError
from tests.kkoracle.browser import Browser
from tests.trainer.evaluate import planted
from trainer.evaluate.records import Evaluation
from trainer.evaluate.report import (
    FIGURES,
    ITEMS,
    PAGE,
    ReportOptions,
    print_report,
    strings,
    write_report,
)

EVIL = (
    "<img src='https://evil.example/x.png' onerror=\"window.owned='yes'\">"
    "<script src='https://evil.example/x.js'></script><script>window.owned='yes'</script>"
    "</style></svg><b>παχύ</b>\x00\x1b[31m"
)


def hostile(found: Evaluation) -> Evaluation:
    """The same with markup wherever a model, a page or a peer could have put it."""
    items = {
        key: item.replace(
            question=EVIL,
            reference=EVIL,
            gold=EVIL,
            header=EVIL,
            kind=EVIL,
            url="javascript:window.owned='yes'",
            slices={"section": EVIL, EVIL: EVIL},
        )
        for key, item in found.items.items()
    }
    answers = {
        name: {key: answer.replace(text=f"{answer.text}{EVIL}") for key, answer in said.items()}
        for name, said in found.answers.items()
    }
    assert found.audit
    audit = found.audit.replace(
        judge=EVIL,
        reason=EVIL,
        passed=False,
        human={EVIL: EVIL},
        faults=[{"name": EVIL, "asked": 3, "caught": 1}],
    )
    about = found.about.replace(
        archive=EVIL,
        model=EVIL,
        command=EVIL,
        warnings=[EVIL],
        settings={EVIL: EVIL},
        coverage={EVIL: 3},
    )
    return replace(found, items=items, answers=answers, audit=audit, about=about)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the report of the six systems."""
    found = tmp_path_factory.mktemp("archive") / "runs" / "default" / "evaluation"
    planted.evaluation().write(found)
    run = found.parent
    lines = [{"step": n, "loss": 3 - n / 100} for n in range(1, 101)]
    lines += [{"step": n, "valid_loss": 3.1 - n / 110} for n in (0, 50, 100)]
    (run / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    write_report(found, run.parent.parent, ReportOptions("απαντά για το αρχείο"))
    return found


def test_the_files_are_whole_and_small(folder: Path) -> None:
    page = (folder / PAGE).read_text("utf-8")
    assert len(page.encode()) < 1_000_000
    figures = orjson.loads((folder / FIGURES).read_bytes())
    assert figures["sentence"] == "fine-tune" and figures["passed"] is True
    assert figures["about"]["model_sha"] == "0123456789ab"
    for shown in (
        "0123456789ab",
        "ba9876543210",
        "feedfeedfeed",
        "cafecafe",
        "choice|v:1",
        "kkoracle evaluate paper --name default",
        "απαντά για το αρχείο",
    ):
        assert shown in page
    lines = (folder / ITEMS).read_bytes().splitlines()
    first = orjson.loads(lines[0])
    assert len(lines) == 460
    assert set(first["answers"]) == {one.name for one in planted.SIX}
    assert set(first["values"]["choice"]) == set(first["answers"])
    assert not list(folder.glob("*.partial"))


def test_it_holds_every_part_that_was_measured(folder: Path) -> None:
    page = (folder / PAGE).read_text("utf-8")
    for anchor in (
        "differences",
        "beside",
        "all",
        "slices",
        "flips",
        "calibration",
        "judge",
        "losses",
        "costs",
        "made",
    ):
        assert f'id="{anchor}"' in page, anchor
    assert page.count("<svg") > 20 and "polyline" in page


def test_the_same_records_give_the_same_bytes(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in (PAGE, FIGURES, ITEMS)}
    write_report(folder, folder.parent.parent.parent, ReportOptions("απαντά για το αρχείο"))
    assert before == {name: (folder / name).read_bytes() for name in (PAGE, FIGURES, ITEMS)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_for_everybody_on_a_phone_and_at_a_desk(
    folder: Path, browser: Browser, width: int, scheme: str
) -> None:
    url = (folder / PAGE).as_uri()
    ready = "document.readyState === 'complete'"
    assert browser.faults(url, ready, width=width, scheme=scheme) == ""


def test_axe_and_the_phone_see_what_is_wrong(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        "<!doctype html><meta name=viewport content='width=device-width'><title>x</title><main>"
        "<h1>x</h1><svg role=img></svg>"
        "<div style='width:500px'>x</div></main>"
    )
    seen = browser.faults(page.as_uri(), "true", width=390)
    assert "html-has-lang" in seen and "svg-img-alt" in seen and "<body" in seen


def test_the_contents_lead_to_every_part_and_to_nothing_else(folder: Path) -> None:
    page = (folder / PAGE).read_text("utf-8")
    assert re.findall(r'<li><a href="#(\w+)"', page) == re.findall(r'<h2 id="(\w+)"', page)


def test_it_opens_in_the_language_of_its_reader(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert strings.reader_language("", "el") == "el"
    assert strings.reader_language("", "fi") == "en"  # not there in Finnish
    monkeypatch.setenv("LANG", "en_GB.UTF-8")
    assert strings.reader_language("", "el") == "en"
    assert strings.reader_language("el", "en") == "el"
    monkeypatch.setenv("LANG", "C.UTF-8")
    assert strings.reader_language("", "el") == "el"
    with pytest.raises(UserError, match=r"report_language: xx is none of el, en"):
        strings.reader_language("xx", "el")
    page = (folder / PAGE).read_text("utf-8")
    assert page.startswith('<!doctype html>\n<html lang="el">') and 'id="el" checked' in page
    assert "<title>paper: Προσαρμόστε" in page


def test_both_languages_say_everything() -> None:
    greek, english = (strings.load(language) for language in strings.languages())
    tables = ("metrics", "splits", "slices", "counts", "text")
    assert set(greek) == set(english) == {"name", *tables}
    for table in tables:
        assert set(greek[table]) == set(english[table])
        for key, phrase in greek[table].items():
            assert phrase and english[table][key]
            places = [set(re.findall(r"{(\w+)}", one)) for one in (phrase, english[table][key])]
            assert places[0] == places[1], key


def test_nothing_is_reported_of_an_evaluation_that_has_not_ended(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="run `kkoracle evaluate`"):
        write_report(tmp_path, tmp_path, ReportOptions())


@pytest.mark.parametrize(
    "found",
    [
        planted.evaluation([planted.SIX[0]], stories=6),
        planted.evaluation([planted.SIX[0], planted.SIX[2]], stories=6),
        planted.evaluation(stories=1),
        replace(planted.evaluation(stories=2), items={}, scores={}, answers={}, audit=None),
    ],
    ids=["one system", "nothing tuned", "one story", "no question"],
)
def test_the_least_evaluation_has_a_page(found: Evaluation, tmp_path: Path) -> None:
    found.write(tmp_path)
    made = write_report(tmp_path, tmp_path, ReportOptions())
    assert not made.passed and (tmp_path / PAGE).stat().st_size > 10_000
    print_report(Console(file=StringIO()), made, tmp_path)


def test_a_browser_shows_it_asks_for_nothing_and_runs_nothing(
    folder: Path, tmp_path: Path, browser: Browser
) -> None:
    evil = tmp_path / "evil" / "runs" / "x" / "evaluation"
    hostile(planted.evaluation(stories=60)).write(evil)
    write_report(evil, tmp_path / "evil", ReportOptions(EVIL, language="en"))
    english = "getComputedStyle(document.querySelector('.verdict .en')).display !== 'none'"
    for page, there in ((folder / PAGE, "Προσαρμόστε"), (evil / PAGE, "onerror")):
        seen = browser.look(
            page.as_uri(),
            f"document.body.innerText.includes({there!r})",
            ("document.querySelector('label[for=en]').click()", english),
            ("document.querySelectorAll('a').forEach(a => a.focus())", "true"),
        )
        assert seen["requests"] == [page.as_uri()]
        assert seen["owned"] is None
        dom = seen["dom"]
        assert "<script" not in dom and "<img" not in dom and "javascript:" not in dom


def test_what_is_said_of_the_time_before_and_after_a_day_stands_apart(tmp_path: Path) -> None:
    found = planted.evaluation()
    late = {f"story-{story}" for story in range(0, 120, 6)}  # half of those that nobody taught
    items = {
        key: item.replace(
            slices=item.slices | {"period": "after" if item.cluster in late else "before"}
        )
        for key, item in found.items.items()
    }
    about = found.about.replace(as_of="2012-12-31")
    folder = tmp_path / "archive/runs/default/evaluation"
    replace(found, items=items, about=about).write(folder)
    report = write_report(folder, tmp_path / "archive", ReportOptions())
    assert [(one.split, one.period, one.questions, one.stories) for one in report.periods] == [
        ("test_recall", "before", 240, 80),
        ("test_unseen", "before", 60, 20),
        ("test_unseen", "after", 60, 20),
    ]
    after = report.periods[-1]
    (cell,) = (c for c in after.cells if (c.metric, c.system) == ("choice", "tuned"))
    told = [found.scores["choice"]["tuned"][k] for k, i in items.items() if i.cluster in late]
    assert cell.mean == pytest.approx(sum(value or 0.0 for value in told) / len(told))
    assert cell.low is not None and cell.low < cell.mean < (cell.high or 0)
    assert after.gain and (after.gain.one, after.gain.other) == ("tuned", "base")
    page = (folder / PAGE).read_text("utf-8")
    assert 'id="periods"' in page and "Before and after 2012-12-31" in page
    assert page.count("60 questions about 20 stories") == 2
    console = Console(file=StringIO(), width=200)
    print_report(console, report, folder)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "printed after 2012-12-31 (test_unseen, 20 stories): tuned " in shown


def test_without_such_a_day_nothing_is_said_of_it(folder: Path) -> None:
    assert 'id="periods"' not in (folder / PAGE).read_text("utf-8")
