"""What runs beside the work: notices, a machine kept awake, figures, messages for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families

from exchange import metrics
from exchange.errors import UsageError, UserError
from exchange.metrics import MetricValue
from exchange.project import Project
from kkoracle.monitor import monitor
from kkoracle.monitor.notices import Notifier, desktop_command
from kkoracle.settings import MonitorSettings
from kkoracle.status import Status, read_status
from kkoracle.status.records import Problem
from tests.conftest import fill_spool, run_cli
from tests.kkoracle.status.test_status import store
from tests.workers.endpoint import Endpoint

Maker = Callable[..., Project]


class Hook(BaseHTTPRequestHandler):
    """Keeps what is posted to it."""

    posted: list[dict[str, Any]]
    status = 200

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.posted.append(json.loads(body))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def webhook() -> Iterator[tuple[str, type[Hook]]]:
    kept = type("Kept", (Hook,), {"posted": []})
    server = HTTPServer(("127.0.0.1", 0), kept)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook?token=hush", kept
    server.shutdown()
    server.server_close()


def glance(make_project: Maker, tasks: int = 5) -> Status:
    project = make_project()
    fill_spool(project, tasks).close()
    return read_status(project, "paper")


def with_problem(status: Status, code: str, text: str = "it stands") -> Status:
    return replace(status, problems=(Problem(code, text),))


# -- notices --------------------------------------------------------------------------------------


def test_each_thing_is_posted_once_when_it_begins_and_anew_when_it_comes_back(
    make_project: Maker, webhook: tuple[str, type[Hook]]
) -> None:
    url, hook = webhook
    notices = Notifier(MonitorSettings(notify_webhook=url), "paper")
    calm = replace(glance(make_project), problems=())
    for status in (
        calm,
        with_problem(calm, "stalled"),
        with_problem(calm, "stalled"),
        calm,
        with_problem(calm, "stalled"),
    ):
        notices.see(status)
    assert [post["code"] for post in hook.posted] == ["stalled", "stalled"]
    assert hook.posted[0]["text"] == "kkoracle: paper: it stands"
    assert hook.posted[0]["archive"] == "paper" and abs(hook.posted[0]["at"] - time.time()) < 60


def test_the_end_failures_and_a_low_disk_are_told(
    make_project: Maker, webhook: tuple[str, type[Hook]]
) -> None:
    url, hook = webhook
    project = make_project()
    spool = fill_spool(project, 40)
    store(spool, 10, ago=60, failed="poison")
    store(spool, 20, ago=60)
    settings = MonitorSettings(notify_webhook=url, notify_disk_mb=10**9)
    notices = Notifier(settings, "paper")
    assert {news.code for news in notices.see(read_status(project, "paper"))} == {
        "failed-tasks",
        "disk",
    }
    store(spool, 10, ago=30)
    spool.close()
    assert [news.code for news in notices.see(read_status(project, "paper"))] == ["finished"]
    assert hook.posted[-1]["text"] == "kkoracle: paper is done: 0 pairs kept"
    assert "33%" in hook.posted[0]["text"]


def test_an_archive_that_was_done_from_the_first_is_no_news(
    make_project: Maker, webhook: tuple[str, type[Hook]]
) -> None:
    notices = Notifier(MonitorSettings(notify_webhook=webhook[0], notify_disk_mb=0), "paper")
    assert notices.see(glance(make_project, tasks=0)) == []


def test_a_webhook_that_is_away_errs_or_redirects_stops_nothing_and_is_not_named(
    make_project: Maker, webhook: tuple[str, type[Hook]], caplog: pytest.LogCaptureFixture
) -> None:
    url, hook = webhook
    status = with_problem(glance(make_project), "stalled")
    for answer in (500, 302):
        hook.status = answer
        Notifier(MonitorSettings(notify_webhook=url), "paper").see(status)
    Notifier(MonitorSettings(notify_webhook="http://127.0.0.1:9/?token=hush"), "paper").see(status)
    assert len(hook.posted) == 2  # nobody was sent elsewhere
    assert "answered 500" in caplog.text and "could not be posted" in caplog.text
    assert "hush" not in caplog.text and "127.0.0.1" not in caplog.text


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "hook", "http://"])
def test_a_webhook_must_be_a_web_address(url: str) -> None:
    with pytest.raises(UsageError, match="notify_webhook"):
        Notifier(MonitorSettings(notify_webhook=url), "paper")


def test_the_desktop_is_told_by_the_systems_own_tool_with_the_text_as_an_argument(
    make_project: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "notify-send"
    tool.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {tmp_path}/shown\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sys, "platform", "linux")
    evil = "-x $(touch /tmp/never) `id`"
    status = with_problem(glance(make_project), "stalled", evil)
    Notifier(MonitorSettings(notify_desktop=True), "paper").see(status)
    assert (tmp_path / "shown").read_text() == f"--app-name=kkoracle|--|kkoracle|paper: {evil}|"
    mac = desktop_command(evil, "darwin")
    assert mac[0] == "osascript" and mac[-1] == evil and evil not in mac[2]


# -- figures and companions -----------------------------------------------------------------------


def figures_at(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def test_figures_are_served_as_prometheus_reads_them_on_loopback() -> None:
    figures = [
        MetricValue("a", "an a", 1.5, {"x": 'quo"te\n'}),
        MetricValue("a", "an a", 2, {"x": "y"}),
        MetricValue("b_total", "many b", 7, kind="counter"),
    ]
    with metrics.serve_metrics("127.0.0.1", 0, lambda: figures) as port:
        text = figures_at(port)
        with (
            pytest.raises(UserError, match="cannot listen"),
            metrics.serve_metrics("127.0.0.1", port, lambda: figures),
        ):
            pass
    families = {family.name: family for family in text_string_to_metric_families(text)}
    samples = families["kkoracle_a"].samples
    assert {s.labels["x"]: s.value for s in samples} == {'quo"te\n': 1.5, "y": 2.0}
    assert families["kkoracle_b"].type == "counter"
    with pytest.raises(OSError):
        figures_at(port)


def test_a_look_that_fails_is_a_figure_and_not_an_error() -> None:
    def broken() -> Iterator[MetricValue]:
        raise RuntimeError("secret")

    with metrics.serve_metrics("127.0.0.1", 0, broken) as port:
        text = figures_at(port)
    assert "kkoracle_look_failed 1.0" in text and "secret" not in text


def test_without_the_extra_a_wanted_port_is_one_line(
    tmp_path: Path, make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project("[operate]\nwork_port = 65001\nkeep_awake = false\n")
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with (
        pytest.raises(UserError, match=r"\[metrics\]"),
        monitor.monitor_command(project, "", lambda: []),
    ):
        pass


def test_the_end_of_the_work_is_told_when_the_daemon_leaves(
    tmp_path: Path, make_project: Maker, webhook: tuple[str, type[Hook]]
) -> None:
    url, hook = webhook
    project = make_project(f'[operate]\nnotify_webhook = "{url}"\nnotify_disk_mb = 0\n')
    spool = fill_spool(project, 3)
    monitor.INTERVAL_S, before = 0.1, monitor.INTERVAL_S
    try:
        with monitor.monitor_command(project, "paper"):
            time.sleep(0.5)
            store(spool, 3, ago=0)
    finally:
        monitor.INTERVAL_S = before
    spool.close()
    assert [post["code"] for post in hook.posted] == ["finished"]
    shown = run_cli("config", cwd=tmp_path)
    assert "notify_webhook" in shown.stdout and "hush" not in shown.stdout


# -- messages -------------------------------------------------------------------------------------


def test_json_lines_name_run_task_and_chunk_and_hold_no_text(
    tmp_path: Path, make_project: Maker, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    with Endpoint() as endpoint:
        project = make_project(
            f'engine = "openai"\nurl = "{endpoint.url}"\n[log]\nformat = "json"\nrun = "r1"\n'
        )
        spool = fill_spool(project, 6)
        chunks = {chunk.id for chunk in spool.chunks()}
        spool.close()
        work = popen("-m", "kkoracle", "work", cwd=tmp_path)
        crawl = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=tmp_path)
        said, _ = crawl.communicate(timeout=90)
        work.terminate()
        worked, _ = work.communicate(timeout=60)
    lines = [orjson.loads(line) for line in said.splitlines() if line.startswith("{")]
    ended = [line for line in lines if line["text"] == "a task has ended"]
    assert len({line["task"] for line in ended}) >= 6
    assert chunks <= {line["chunk"] for line in ended}
    assert all(line["run"] == "r1" and line["archive"] == "paper" for line in ended)
    others = [orjson.loads(line) for line in worked.splitlines() if line.startswith("{")]
    assert others and {line["run"] for line in others} == {"r1"}
    assert "δήμαρχος" not in said + worked and "Αριθμός" not in said + worked
