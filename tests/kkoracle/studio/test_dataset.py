"""Dataset: builds and what changed between them, leaks and shares, and a page that is counted."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.store.review import Label
from kkoracle.studio.pages.dataset import PAGE
from tests.conftest import processes, until
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, Server, ask, foreign, get, post
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill
from trainer.dataset import builds, read_split

SECTION = f"{EVIL} Πολιτική"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Server]:
    """Two builds: before the second one a taught row was rejected, and stories came."""
    desk = Desk(tmp_path_factory.mktemp("dataset"), model)
    desk.configure("")
    fill(desk.archive, 60, published=lambda n: f"{2001 + n % 2}-02-03", section=lambda n: SECTION)
    with processes() as begin:
        server = Server(begin("-m", "kkoracle", "ui", "--port", "0", cwd=desk.folder), desk)
        assert "kkoracle dataset build" in get(f"{server.url}/dataset")
        desk.cli("dataset", "build")
        for path in (desk.archive / builds.FOLDER).glob("*.json"):
            os.utime(path, (1, 1))
        row = read_split(desk.dataset, "train")[0]
        server.review().add_label(Label(pair_id=row.id, verdict="reject", reason="wrong"))
        fill(desk.archive, 10, first=60, section=lambda n: SECTION)
        desk.cli("dataset", "build")
        yield server


def test_the_newest_build_its_leaks_and_its_shares_are_shown(studio: Server) -> None:
    page = get(f"{studio.url}/dataset")
    newest, first = builds.list_builds(studio.desk.archive)
    assert newest.sha in page and first.sha in page
    train = newest.manifest.splits["train"]["rows"]
    assert f"{train:,}" in page and "test_unseen with a story that is taught" in page
    assert ">none<" in page and "2001" in page and "&lt;img" in page and "<img src=x" not in page


def test_what_changed_between_two_builds_is_told_by_row(studio: Server) -> None:
    newest, first = builds.list_builds(studio.desk.archive)
    page = get(f"{studio.url}/dataset/changes?build={newest.sha}&build={first.sha}")
    assert "No row has moved" in page and "Gone: 1" in page and "Added: 3" in page
    assert re.search(r'href="/pairs/[0-9a-f]{24}"', page)
    for query in ("", f"?build={first.sha}", f"?build={first.sha}&build=../x"):
        assert ask(f"{studio.url}/dataset/changes{query}")[0] == 404


def test_the_statistics_are_counted_by_the_command_and_shown_without_rights(
    studio: Server,
) -> None:
    assert ask(f"{studio.url}/dataset/statistics")[0] == 404
    assert "being counted" in post(f"{studio.url}/dataset/statistics/count")
    until((studio.desk.archive / PAGE).exists, 60)
    status, page, headers = ask(f"{studio.url}/dataset/statistics")
    assert status == 200 and "Accepted by year" in page
    assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    until(lambda: "Count again" in get(f"{studio.url}/dataset"), 30)


def test_two_builds_are_compared_with_one_key(browser: Browser, studio: Server) -> None:
    press = "document.body.dispatchEvent(new KeyboardEvent('keydown', {key: 'c', bubbles: true}))"
    seen = browser.look(
        f"{studio.url}/dataset",
        "document.readyState === 'complete'",
        (press, "document.querySelector('h1').innerText.startsWith('From 1970')"),
    )
    assert seen["owned"] is None and foreign(seen, studio.url) == set()


@pytest.mark.parametrize("width,scheme", [(1440, "dark"), (390, "light")])
def test_nobody_is_shut_out(browser: Browser, studio: Server, width: int, scheme: str) -> None:
    newest, first = builds.list_builds(studio.desk.archive)
    for path in ("/dataset", f"/dataset/changes?build={newest.sha}&build={first.sha}"):
        found = browser.faults(
            studio.url + path, "!!document.querySelector('h1')", width=width, scheme=scheme
        )
        assert found == "", (path, found)
