"""A real studio, asked over its HTTP interface: what is clicked there is stored as data."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from exchange import lock
from tests.conftest import ROOT, processes, run_cli
from tests.kkoracle.studio.conftest import EVIL, Server, Start
from tests.trainer.conftest import Desk
from tests.trainer.reading import table as read_table


@pytest.fixture
def client(server: Server) -> Client:
    return Client(server.url, verbose=False, httpx_kwargs={"timeout": 60})


def call(client: Client, name: str, *arguments: Any) -> Any:
    return client.predict(*arguments, api_name=f"/{name}")


def get(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    asked = urllib.request.Request(
        url, headers={k.replace("_", "-"): v for k, v in headers.items()}
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as reply:
            return reply.status, reply.read().decode(), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def ask_for_path(url: str, path: Path) -> str:
    """What the studio says to who names a path in place of sending a file."""
    data = ["default", {"path": str(path), "meta": {"_type": "gradio.FileData"}}]
    where = f"{url}/gradio_api/call/score_file"
    body = json.dumps({"data": data}).encode()
    asked = urllib.request.Request(where, body, {"content-type": "application/json"})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        event = json.load(reply)["event_id"]
    return get(f"{where}/{event}")[1]


def test_status_says_what_the_command_says(client: Client, desk: Desk) -> None:
    screen, plots = call(client, "status")
    printed = desk.cli("status", code=None).stdout
    kept = re.search(r"(\d+) kept, (\d+) rejected", printed)
    assert kept and kept[0] in screen
    assert "<svg" in plots and "Pairs" in plots


def test_a_blind_question_is_answered_voted_on_and_revealed(client: Client, server: Server) -> None:
    systems = ["base", "tuned", "rag", "tuned+rag"]
    said, cards, *_ = call(client, "ask", "Τι έκανε η Ελένη Καρατζά;", "default", systems, True)
    assert "wrong" not in said
    assert re.findall("<h3>(.*?)</h3>", cards) == ["A", "B", "C", "D"]
    assert "tuned" not in cards and "<summary>" not in cards
    said, cards, files, votes = call(client, "vote", "B", "Η Ελένη Καρατζά.")
    assert "stored: B is best" in said and "base64," in files
    shown = re.findall("<h3>[A-D]: (.*?)</h3>", cards)
    assert sorted(shown) == sorted(systems)
    assert cards.count("<summary>") >= 2 and "http://x/" in cards
    (vote,) = server.review().votes()
    assert vote.systems == tuple(shown) and vote.best == shown[1] and vote.blind
    assert vote.better == "Η Ελένη Καρατζά." and vote.run == "default"
    assert "100%" in votes
    assert "ask first" in call(client, "vote", "A", "")[0]
    assert len(server.review().votes()) == 1


def test_what_cannot_be_asked_is_one_line(client: Client) -> None:
    for arguments, said in (
        ((" ", "default", ["base"], True), "write a question"),
        (("Πότε;", "default", [], True), "at least one"),
        (("α" * 3000, "default", ["base"], True), "characters"),
    ):
        assert said in call(client, "ask", *arguments)[0]
    for name, arguments in (
        ("ask", ("Πότε;", "../..", ["base"], True)),
        ("losses", ("../x",)),
        ("report", ("../x",)),
    ):
        with pytest.raises(AppError, match="not in the list of choices"):
            call(client, name, *arguments)


def test_while_a_run_trains_no_model_is_loaded_and_the_page_says_why(
    client: Client, desk: Desk
) -> None:
    call(client, "let_go")
    with lock.hold_gpu(desk.folder / "data"):
        said = call(client, "ask", "Πότε;", "default", ["base"], False)[0]
    assert "training runs" in said
    said, cards, *_ = call(client, "ask", "Πότε;", "default", ["base"], False)
    assert "wrong" not in said and "A: base" in cards
    with lock.hold_gpu(desk.folder / "data", shared=True):
        call(client, "let_go")
        assert "worker" in call(client, "ask", "Πότε;", "default", ["base"], False)[0]
    call(client, "let_go")
    with lock.hold_gpu(desk.folder / "data"):
        pass  # the model's memory and the lock were given back


def test_an_answer_gets_points_with_how_sure_they_are(client: Client) -> None:
    shown = call(client, "score", "default", f"Πότε; {EVIL}", "ναι", "ναι ναι", None)
    points = re.search(r"<h2>([\d.]+) of 3</h2>", shown)
    assert points and 0 <= float(points[1]) <= 3
    assert "confidence" in shown and shown.count("<tr>") == 1 + 4  # confidence, levels 0 to 3
    assert "of 20<" in call(client, "score", "default", "Πότε;", "ναι", "ναι", 20)
    assert "cannot be scored: no question" in call(client, "score", "default", "", "ναι", "ναι", 3)
    assert "cannot be scored" in call(client, "score", "default", "Πότε;", "ναι", "ναι", -1)


def test_a_file_of_answers_dropped_in_comes_out_as_a_table_without_any_archive(
    desk: Desk, tmp_path: Path
) -> None:
    rows = [
        {"question": "Ερώτηση 3;", "answer": "ναι " * (n % 4), "remark": EVIL} for n in range(9)
    ]
    (tmp_path / "class.json").write_text(json.dumps(rows), "utf-8")
    with processes() as popen:
        process = popen(
            "-m", "kkoracle", "--data", str(desk.folder / "data"), "ui", "--port", "0", cwd=tmp_path
        )
        alone = Client(Server(process, desk).url, verbose=False, httpx_kwargs={"timeout": 60})
        said, table, whole = call(
            alone, "score_file", "default", handle_file(tmp_path / "class.json")
        )
        assert "9 answers scored" in said and "not used: &#39;remark&#39;" in said
        assert EVIL not in said
        heads, cells = table["value"]["headers"], table["value"]["data"]
        assert len(cells) == 9 and {"score", "confidence", "abstained", "guide met"} <= set(heads)
        found = read_table(Path(whole["value"]))
        assert len(found) == 9 and {line["remark"] for line in found} == {EVIL}
        (tmp_path / "empty.json").write_text("[]")
        said = call(alone, "score_file", "default", handle_file(tmp_path / "empty.json"))[0]
        assert "no usable row" in said
        own = desk.folder / "scored.json"  # a file of this machine that nobody uploaded
        assert "event: error" in ask_for_path(alone.src.rstrip("/"), own)
        page = get(alone.src)[1]
        assert "kkoracle: scorers" in page and '"Review"' not in page
        assert get(f"{alone.src.rstrip('/')}/pages/dataset")[0] == 404


def test_plots_and_losses_are_drawn(client: Client) -> None:
    counted, _, losses = call(client, "plots")
    assert "Stories by year" in counted and "no_question_mark" in counted
    assert "<svg" in losses and "validation" in losses


def test_framed_pages_have_no_rights(server: Server, desk: Desk) -> None:
    report = desk.run_folder() / "evaluation" / "report.html"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"<!doctype html><p>{EVIL}</p>", "utf-8")
    for path in ("report/default", "dataset"):
        status, text, headers = get(f"{server.url}/pages/{path}")
        assert status == 200 and "<!doctype html>" in text
        assert headers["content-security-policy"].startswith("sandbox; default-src 'none'")
    for path in ("report/none", "report/..%2f..%2fkkoracle.toml", "report/%2e%2e"):
        assert get(f"{server.url}/pages/{path}")[0] == 404


def test_other_sites_and_other_names_are_refused(server: Server) -> None:
    assert get(server.url)[0] == 200
    assert get(server.url, Host="evil.example")[0] == 421
    assert get(server.url, Origin="http://evil.example")[0] == 403
    assert get(server.url, Origin="null")[0] == 403
    assert get(server.url, Origin=server.url)[0] == 200
    _, page, headers = get(server.url)
    assert "script-src-attr 'none'" in headers["content-security-policy"]
    assert '"analytics_enabled":false' in page.replace(" ", "")
    assert get(f"{server.url}/gradio_api/file=/etc/passwd")[0] in (403, 404)


def test_beyond_loopback_it_wants_a_password(start: Start, desk: Desk) -> None:
    refused = run_cli("ui", "--host", "0.0.0.0", cwd=desk.folder)
    assert refused.returncode == 2 and "KKORACLE_UI_PASSWORD" in refused.stderr
    server = start("--host", "0.0.0.0", KKORACLE_UI_PASSWORD="secret")
    assert get(server.url)[0] == 401
    assert get(server.url, Authorization="Basic a2tvcmFjbGU6d3Jvbmc=")[0] == 401
    assert get(server.url, Authorization="Basic a2tvcmFjbGU6c2VjcmV0")[0] == 200
    server.process.terminate()
    assert server.process.wait(60) == 0


def test_a_port_in_use_is_one_line(server: Server, desk: Desk) -> None:
    said = run_cli("ui", "--port", server.url.rpartition(":")[2], cwd=desk.folder)
    assert said.returncode == 1 and "--port" in said.stderr and "Traceback" not in said.stderr


def test_without_the_extra_one_line_says_what_to_install(desk: Desk) -> None:
    hidden = desk.folder / "hidden"
    (hidden / "gradio").mkdir(parents=True)
    (hidden / "gradio" / "__init__.py").write_text("raise ImportError('no gradio')")
    said = run_cli("ui", "--port", "0", cwd=desk.folder, PYTHONPATH=f"{hidden}:{ROOT}")
    assert said.returncode == 1 and "pip install 'kkoracle[ui]'" in said.stderr
    assert len(said.stderr.strip().splitlines()) == 1
