"""Runs: a curve that moves while it is learned, a stop that can be gone on from, several in one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.project import Project
from kkoracle.studio.charts import MetricsFile, known_chart, loss_chart
from kkoracle.studio.commands import CommandRunner
from kkoracle.studio.training_runs import resume_words
from tests.conftest import until
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import BASE, EVIL, Server, ask, foreign, get, post, put, refused
from trainer.training.run_config import RunConfig
from trainer.training.settings import TrainSettings

CURVE = "(document.querySelector('figure.plot polyline')?.getAttribute('points') || '')"
SAID = "document.querySelector('main').innerText"
PRESS = "document.querySelector('button[aria-label=\"{}\"]').click()"


def step(number: int, **more: object) -> bytes:
    return json.dumps({"step": number, "epoch": 0.1 * number, **more}).encode() + b"\n"


@pytest.fixture
def ended(server: Server) -> Iterator[CommandRunner]:
    """What a test has started is ended with it."""
    runner = CommandRunner(Project.__new__(Project), server.desk.archive)
    yield runner
    if (found := runner.state("train")) and found.running:
        runner.stop("train")
        until(lambda: not _runs(runner), 30)


def _runs(runner: CommandRunner) -> bool:
    found = runner.state("train")
    return bool(found and found.running)


def test_metrics_are_read_on_from_where_they_were_and_anew_when_they_were_written_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "metrics.jsonl"
    found = MetricsFile(path)
    assert found.update().losses == []
    path.write_bytes(step(0, valid_loss=2.0, bits=1) + step(1, loss=3.0) + b'{"step":2,"lo')
    assert found.update().losses == [(1, 3.0)] and found.validations == [(0, 2.0)]
    with path.open("ab") as file:
        file.write(b'ss":2.5}\n' + step(2, known=3, facts=9) + b"[1]\n\xff\n")
    assert found.update().losses == [(1, 3.0), (2, 2.5)]
    assert found.known == [(2, 3.0)] and "of 9" in known_chart(found)
    anew = tmp_path / "anew"
    anew.write_bytes(step(1, loss=3.0) * 50)
    anew.rename(path)  # as a run that goes on from an earlier step does
    assert len(found.update().losses) == 50 and found.known == []


def test_a_long_run_is_kept_short_and_keeps_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"".join(step(n, loss=4.0 - n / 10_000) for n in range(20_001)))
    found = MetricsFile(path).update().losses
    assert len(found) <= 8_000
    assert found[0][0] < 5 and found[-1][0] == 20_000
    assert all(loss == pytest.approx(4.0 - at / 10_000) for at, loss in found)


def test_several_runs_share_a_plot_each_in_its_colour_and_named_once(tmp_path: Path) -> None:
    files = {}
    for number, name in enumerate(("slow", "fast")):
        path = tmp_path / name
        path.write_bytes(
            b"".join(step(n, loss=4.0 / (n + number)) for n in range(1, 9))
            + step(4, valid_loss=1.0 + number)
            + step(8, valid_loss=0.5 + number)
        )
        files[name] = MetricsFile(path).update()
    drawn = loss_chart(files)
    assert drawn.count("<polyline") == 4 and drawn.count("<circle") == 4
    assert drawn.count(">slow<") == drawn.count(">fast<") == 1
    assert drawn.count('stroke="#0072b2"') == drawn.count('stroke="#e69f00"') == 2


def test_a_run_goes_on_with_what_it_was_begun_with(make_project: object) -> None:
    project: Project = make_project("[train]\nrank = 8\n")  # type: ignore[operator]
    told = TrainSettings(rank=8).model_dump()
    assert resume_words(project, RunConfig("m", "", "d", told)) == []
    other = TrainSettings(rank=4, until_learned=True, epochs=7).model_dump()
    assert resume_words(project, RunConfig("m", "", "d", other)) == [
        "--epochs=7",
        "--rank=4",
        "--until-learned",
    ]
    going_on = told | {"continues": "adapter", "continue_words": ["--continue=first"]}
    assert resume_words(project, RunConfig("m", "", "d", going_on)) == ["--continue=first"]
    full = TrainSettings(recipe="full", lr=2e-4).model_dump()  # the rate is not the recipe's own
    assert {"--recipe=full", "--lr=0.0002"} <= set(
        resume_words(project, RunConfig("m", "", "d", full))
    )


def test_a_run_is_begun_its_curve_moves_it_is_stopped_and_goes_on(
    browser: Browser, server: Server, ended: CommandRunner
) -> None:
    begin = (
        "document.querySelector('details.begin').open = true;"
        "document.querySelector('input[name=run][maxlength]').value = 'long';"
        "document.querySelector('input[name=epochs]').value = '1000';"
        "document.querySelector('details.begin form button').click()"
    )
    stopped = f"{SAID}.includes('Go on from step')"
    put(server, "Πότε;", *BASE)  # the model that answered makes way for the training
    seen = browser.look(
        f"{server.url}/runs",
        "document.querySelector('details.begin') !== null",
        (begin, "location.pathname === '/runs/long'"),
        ("", f"{CURVE}.length > 60"),
        (f"window.before = {CURVE}; window.stays = true", f"{CURVE} !== window.before"),
        ("", "window.stays"),  # without a reload
        (PRESS.format("Stop run long"), stopped),
        seconds=60,  # a training begins in between
    )
    assert foreign(seen, server.url) == set()
    before = _steps(server)
    state = ended.state("train")
    assert state and state.code == 3 and "stopped" in get(f"{server.url}/runs")
    assert "--epochs=1000" in state.words
    browser.look(
        f"{server.url}/runs/long",
        stopped,
        (PRESS.format("Go on with run long"), f"{SAID}.includes('training')"),
        ("", f"!({stopped}) && document.querySelector('button.danger') !== null"),
    )
    until(lambda: _steps(server) > before, 60)
    assert "was asked to stop" in post(f"{server.url}/runs/long/stop")
    until(lambda: not _runs(ended), 60)
    assert "not started here" in refused(f"{server.url}/runs/long/stop")


def _steps(server: Server) -> int:
    lines = (server.desk.run_folder("long") / "metrics.jsonl").read_bytes().splitlines()
    return max(json.loads(line)["step"] for line in lines)


def test_one_run_shows_what_it_is_made_of_and_what_it_answers_as_text(server: Server) -> None:
    samples = server.desk.run_folder() / "samples.jsonl"
    row = {"split": "train", "question": f"Ποιος; {EVIL}", "reference": "ο Νίκος", "answer": EVIL}
    lines = [json.dumps({"step": at, **row}) for at in (5, 9)]
    samples.write_text("\n".join([*lines, '{"step": 12, "quest']), "utf-8")
    page = get(f"{server.url}/runs/default")
    for shown in ("on taught rows", "Step 9", "Step 5", "&lt;script&gt;", "ο Νίκος", "finished"):
        assert shown in page
    assert EVIL not in page and page.index("Step 9") < page.index("Step 5")
    assert "Not yet." in page  # it was not evaluated
    samples.unlink()


def test_what_is_no_run_is_one_line(server: Server) -> None:
    assert "no run &#39;none&#39; yet" in ask(f"{server.url}/runs/none")[1]
    assert ask(f"{server.url}/runs/%2e%2e%2frun")[0] in (404, 405)
    assert "is no name for a run" in refused(f"{server.url}/runs/new", run="../x")
    assert "cannot burn" in refused(f"{server.url}/runs/default/burn")
    page = get(f"{server.url}/runs?run=default&run=none&run=../x")
    assert page.count("<polyline") == 2


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_pages_are_for_everybody(
    browser: Browser, server: Server, width: int, scheme: str
) -> None:
    for path in ("runs", "runs/default"):
        url = f"{server.url}/{path}"
        assert not browser.faults(url, f"{CURVE}.length > 1", width=width, scheme=scheme), path
