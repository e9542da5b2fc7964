"""Score: points with how sure they are, and a table for a file that was dropped in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import processes, until
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, Server, ask, foreign, get, refused
from tests.trainer.conftest import Desk
from tests.trainer.reading import table as read_table

RESULT = "document.querySelector('.result h2, .result .wrong')"
BOUNDARY = "fields"


@pytest.fixture(scope="module")
def alone(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A studio in a folder that has no archive, only the scorers."""
    folder = tmp_path_factory.mktemp("alone")
    with processes() as popen:
        data = str(desk.folder / "data")
        yield Server(popen("-m", "kkoracle", "--data", data, "ui", "--port", "0", cwd=folder), desk)


def send(
    url: str, file: Path | None = None, *, wait: bool = True, **fields: str
) -> tuple[int, str]:
    """Send the form as a browser does, and return the page once it is scored."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if file:
        head = f'Content-Disposition: form-data; name="file"; filename="{file.name}"\r\n'
        kind = "Content-Type: application/octet-stream\r\n\r\n"
        parts.append(f"--{BOUNDARY}\r\n{head}{kind}".encode() + file.read_bytes() + b"\r\n")
    body = b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    status, page, _ = ask(f"{url}/score", body, Content_Type=kind)
    job = re.search(r'hx-get="([^"]*)"', page)
    if job and wait:
        until(lambda: ">scoring<" not in get(url + job[1]), 60)
        page = get(url + job[1])
    return status, page


def test_an_answer_gets_points_with_how_sure_they_are(server: Server) -> None:
    _, page = send(server.url, question=f"Πότε; {EVIL}", guide="ναι", answer="ναι ναι")
    points = re.search(r"<h2>([\d.]+) of 3</h2>", page)
    assert points and 0 <= float(points[1]) <= 3
    assert "confidence" in page and page.count('<th scope="row">') == 4  # levels 0 to 3
    assert EVIL not in page
    asked = {"question": "Πότε;", "guide": "ναι", "answer": "ναι"}
    assert re.search("of 20</h2>", send(server.url, **asked, maximum="20")[1])
    for wrong, said in (
        ({"question": ""}, "no question"),
        ({"maximum": "-1"}, "cannot be scored"),
        ({"maximum": "many"}, "no number of points"),
    ):
        assert said in send(server.url, **asked | wrong)[1]


def test_a_file_comes_out_as_a_table_without_any_archive(alone: Server, tmp_path: Path) -> None:
    rows = [
        {"question": "Ερώτηση 3;", "answer": "ναι " * (n % 4), "remark": EVIL} for n in range(9)
    ]
    (tmp_path / "class.json").write_text(json.dumps(rows), "utf-8")
    _, page = send(alone.url, tmp_path / "class.json")
    assert "9 answers scored" in page and "not used: &#39;remark&#39;" in page
    assert EVIL not in page
    for name in ("score", "confidence", "abstained", "guide met"):
        assert f'<th scope="col">{name}</th>' in page
    link = re.search(r'href="(/score/[^"]*/table)"', page)
    assert link
    status, text, headers = ask(alone.url + link[1])
    assert status == 200 and headers["content-disposition"].endswith("class-scored.csv")
    whole = tmp_path / "whole.csv"
    whole.write_text(text, "utf-8")
    found = read_table(whole)
    assert len(found) == 9 and {line["remark"] for line in found} == {EVIL}


def test_what_cannot_be_scored_is_one_line(alone: Server, tmp_path: Path) -> None:
    for name, text, said in (
        ("empty.json", "[]", "no usable row"),
        ("page.html", "<p>", "not as .html"),
        ("..", "", "not as such a file"),
    ):
        file = tmp_path / ("x" if name == ".." else name)
        file.write_text(text)
        assert said in send(alone.url, file)[1]
    assert "no scorer &#39;../x&#39;" in refused(
        f"{alone.url}/score", scorer="../x", question="Πότε;"
    )
    assert ask(f"{alone.url}/score/none/table")[0] == 404


def test_without_an_archive_the_scorers_are_the_first_page(alone: Server) -> None:
    page = get(alone.url)
    assert "<h1>Score</h1>" in page and ">Overview<" not in page and "scorers" in page
    for path in ("runs", "stories", "ask"):
        assert ask(f"{alone.url}/{path}")[0] == 404


def test_a_file_is_dropped_in_and_hostile_words_stay_words(browser: Browser, alone: Server) -> None:
    rows = [{"question": f"Ερώτηση {n}; {EVIL}", "answer": f"ναι {EVIL}"} for n in range(3)]
    drop = (
        f"const given = new DataTransfer(); given.items.add(new File([{json.dumps(rows)!r}], "
        "'<b>class.json')); const box = document.querySelector('input[type=file]');"
        "box.files = given.files; box.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    seen = browser.look(
        f"{alone.url}/score",
        "document.readyState === 'complete'",
        (drop, "location.search.includes('job=')"),
        ("window.stays = true", f"{RESULT} !== null"),
        ("", "window.stays && document.querySelectorAll('.result tbody tr').length === 3"),
        ("setTimeout(() => { window.later = true }, 300)", "window.later"),
        seconds=60,
    )
    assert seen["owned"] is None and foreign(seen, alone.url) == set()
    assert "&lt;b&gt;class.json" in seen["dom"]


def test_a_long_file_that_is_cancelled_keeps_what_was_scored(
    server: Server, tmp_path: Path
) -> None:
    file = tmp_path / "long.json"
    rows = [{"question": f"Ερώτηση {n};", "answer": "ναι " * (n % 200)} for n in range(8_000)]
    file.write_text(json.dumps(rows))
    _, page = send(server.url, file, wait=False)
    found = re.search(r'hx-get="([^"]*)"', page)
    assert found
    job = server.url + found[1]
    until(lambda: " of 8,000 answers" in get(job), 60)
    ask(job.replace("?job=", "/") + "/cancel", b"")
    until(lambda: ">scoring<" not in get(job), 20)
    page = get(job)
    assert "left when it was stopped" in page and "/table" in page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_for_everybody(
    browser: Browser, server: Server, tmp_path: Path, width: int, scheme: str
) -> None:
    (tmp_path / "class.json").write_text(json.dumps([{"question": "Πότε;", "answer": "ναι"}]))
    for file in (None, tmp_path / "class.json"):
        said = {} if file else {"question": "Πότε;", "guide": "ναι", "answer": "ναι"}
        _, page = send(server.url, file, **said)
        job = re.search(r'(/score)/([^/"]*)/table', page)
        url = f"{server.url}/score" + (f"?job={job[2]}" if job else "")
        assert not browser.faults(url, "document.forms.length > 1", width=width, scheme=scheme)
