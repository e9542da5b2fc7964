"""One newspaper with pairs and a quickly trained run, and one studio over it for all tests."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.frontier import pages
from exchange.store.review import Review
from tests.conftest import SENTENCES, processes, until
from tests.kkoracle.browser import Browser
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill

EVIL = "<img src=x onerror=\"window.owned='yes'\"><script>window.owned='yes'</script>"
# What a template engine in the page would run, and what ends an attribute or a string.
TEMPLATED = "${window.owned='yes'} {{constructor.constructor(\"window.owned='yes'\")()}} \"'`"
BASE = (("system", "base"),)
QUICK = (
    "epochs = 1\nlr = 5e-3\nbatch = 8\nsamples = 0\n"
    '[score]\nrecipe = "full"\nlr = 5e-3\nbatch = 16\nepochs = 1\n'
)

Start = Callable[..., "Server"]


class Server:
    """A running `kkoracle ui`."""

    def __init__(self, process: subprocess.Popen[str], desk: Desk) -> None:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+:(\d+)/", line)
        assert found, line + process.stdout.read()
        self.url = f"http://127.0.0.1:{found[1]}"
        self.process, self.desk = process, desk

    def review(self) -> Review:
        return Review.open(self.desk.archive)


def ask(url: str, data: bytes | None = None, **headers: str) -> tuple[int, str, dict[str, str]]:
    """Status, page and headers of an answer, after whatever it leads on to."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    try:
        with browser.open(urllib.request.Request(url, data, sent), timeout=60) as reply:
            return reply.status, reply.read().decode(), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def get(url: str) -> str:
    """A page that is there."""
    status, page, _ = ask(url)
    assert status == 200, page
    return page


def post(url: str, *fields: tuple[str, str], **more: str) -> str:
    """Send a form, and return the page that one is led to, with what it says once."""
    status, page, _ = ask(url, urllib.parse.urlencode([*fields, *more.items()]).encode())
    assert status == 200, page
    return page


def refused(url: str, *fields: tuple[str, str], **more: str) -> str:
    """The one line with which a form is refused."""
    status, page, _ = ask(url, urllib.parse.urlencode([*fields, *more.items()]).encode())
    assert status in (400, 404), page
    found = re.search(r'<p class="wrong">(.*?)</p>', page)
    assert found, page
    return found[1]


def put(server: Server, question: str, *fields: tuple[str, str], **more: str) -> str:
    """Ask, and return the talk's address once it is answered."""
    said = {"question": question, "run": "default", **more}
    page = post(f"{server.url}/ask", *fields, **said)
    name = re.search(r'name="talk" value="([^"]+)"', page)
    assert name, page
    url = f"{server.url}/ask?{urllib.parse.urlencode({'talk': name[1]})}"
    until(lambda: ">answering<" not in get(url), 60)
    return url


def foreign(seen: dict[str, Any], url: str) -> set[str]:
    """What a page asked of others than the studio."""
    return {one for one in seen["requests"] if not one.startswith((url, "data:", "about:"))}


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tools.tiny_model import make_tiny_model

    digits = [" ".join("0123456789")] * 8  # what a scorer reads
    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", [*SENTENCES * 4, *digits])


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Desk:
    """Twelve stories of three pairs; what the first one says is hostile."""
    made = Desk(tmp_path_factory.mktemp("studio"), model)
    made.configure(QUICK)
    evil = lambda number: f"{EVIL} {TEMPLATED} " * (number % 3 == 0)  # noqa: E731
    fill(
        made.archive,
        12,
        section=evil,
        header=evil,
        aside=evil,
        extra=[(f"{EVIL} {TEMPLATED} Ποιος είναι;", f"{EVIL} {TEMPLATED}")],
    )
    pages.connect(made.archive).close()
    made.cli("dataset", "build")
    made.cli("train")
    scored = [
        {
            "question": f"Ερώτηση {number % 20};",
            "guide": "ναι",
            "answer": ("λάθος", "λίγο σωστά", "σχεδόν σωστά", "σωστά")[number % 4],
            "score": number % 4,
            "maximum": 3,
        }
        for number in range(120)
    ]
    (made.folder / "scored.json").write_text(json.dumps(scored))
    made.cli("score", "train", "scored.json")
    return made


@pytest.fixture(scope="session")
def start(desk: Desk) -> Iterator[Start]:
    """`start(*flags, **environment)`: one more studio."""
    with processes() as begin:

        def started(*flags: str, **environment: str) -> Server:
            process = begin(
                "-m",
                "kkoracle",
                "ui",
                "--port",
                "0",
                *flags,
                cwd=desk.folder,
                KKORACLE_UI_MAX_TOKENS="24",
                **environment,
            )
            return Server(process, desk)

        yield started


@pytest.fixture(scope="session")
def server(start: Start) -> Server:
    return start()
