"""Each tab seen by a real browser: it is there again after a reload, asks nobody else for
anything, and runs nothing of what a page of the newspaper or a model wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kkoracle.studio import comparison
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, Server
from tests.kkoracle.studio.test_talk import answered

TABS = {
    "Status": "document.querySelector('#status table.facts')",
    "Plots": "document.querySelector('#counted svg') && document.querySelector('#losses svg')",
    "Review": "document.querySelector('#chunk .said')",
    "Compare": "document.querySelector('#question textarea')",
    "Score": "document.querySelector('#score')",
    "Report": "document.querySelector('#report')",
}
READY = "document.querySelector('#status table.facts')"
LATER = ("setTimeout(() => { window.later = true }, 300)", "window.later")  # what fires late


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


def tab(name: str) -> str:
    return (
        f"[...document.querySelectorAll('button[role=tab]')]"
        f".find(one => one.innerText.trim() === '{name}').click()"
    )


def button(name: str) -> str:
    return (
        f"[...document.querySelectorAll('button')].find(one => one.offsetParent && "
        f"one.innerText.trim() === '{name}').click()"
    )


def typed(selector: str, text: str) -> str:
    return (
        f"(() => {{ const box = document.querySelector({selector!r}); box.value = {text!r};"
        "box.dispatchEvent(new Event('input', {bubbles: true})) })()"
    )


def foreign(seen: dict[str, Any], server: Server) -> set[str]:
    inside = (server.url, "data:", "blob:", "about:")
    return {url for url in seen["requests"] if not url.startswith(inside)}


def test_every_tab_shows_itself_and_asks_nobody_else(browser: Browser, server: Server) -> None:
    steps = [(tab(name), f"Boolean({there})") for name, there in TABS.items()]
    seen = browser.look(server.url, READY + " !== null", *steps)
    assert foreign(seen, server) == set() and len(seen["requests"]) > 10
    assert seen["owned"] is None


def test_a_reload_shows_where_things_stand(browser: Browser, server: Server) -> None:
    marked = "window.before = true"
    again = f"window.before === undefined && {READY} !== null"
    seen = browser.look(
        server.url, READY + " !== null", (marked, "window.before"), ("location.reload()", again)
    )
    assert "no action needed" in seen["dom"] or "daemon" in seen["dom"]


def test_hostile_words_of_all_sides_stay_words_in_a_comparison(
    browser: Browser, server: Server
) -> None:
    ask = "document.querySelector('#question button').click()"
    done = "document.querySelectorAll('#answers section .said').length === 3"
    reveal = "document.querySelectorAll('#answers details').length > 0"
    letter = "document.querySelector('input[type=radio][value=A]')"
    seen = browser.look(
        server.url,
        READY + " !== null",
        (tab("Compare"), "document.querySelectorAll('input[type=checkbox]:checked').length >= 3"),
        (typed("#question textarea", f"{EVIL} Τι έκανε η Ελένη Καρατζά;"), "true"),
        (ask, f"{done} && {letter} !== null"),
        (f"{letter}.click()", f"{letter}.checked"),
        (button("Vote and reveal"), reveal),
        LATER,
        seconds=60,
    )
    assert seen["owned"] is None and foreign(seen, server) == set()
    assert "&lt;img src=x onerror=" in seen["dom"]


def test_a_hostile_report_stays_in_its_frame(browser: Browser, server: Server) -> None:
    report = server.desk.run_folder() / "evaluation" / "report.html"
    report.parent.mkdir(exist_ok=True)
    report.write_text(
        f"<!doctype html><h1>Report</h1>{EVIL}<script>parent.owned = 'yes'</script>", "utf-8"
    )
    framed = "document.querySelector('iframe.page') !== null"
    seen = browser.look(server.url, READY + " !== null", (tab("Report"), framed), LATER)
    assert seen["owned"] is None and 'sandbox=""' in seen["dom"]
    alone = browser.look(
        f"{server.url}/pages/report/default", "document.body.innerText.includes('Report')"
    )
    assert alone["owned"] is None and foreign(alone, server) <= {f"{server.url}/x"}


def test_a_saved_talk_runs_nothing(browser: Browser, tmp_path: Path) -> None:
    page = tmp_path / "talk.html"
    page.write_text(comparison.to_html(EVIL, [answered(text=EVIL)]), "utf-8")
    seen = browser.look(page.as_uri(), "document.body.innerText.includes('onerror')")
    assert seen["owned"] is None and len(seen["requests"]) == 1
