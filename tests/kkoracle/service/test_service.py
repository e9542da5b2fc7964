"""Units and agents that keep it running, and what is left when everything is killed at once."""

from __future__ import annotations

import os
import plistlib
import re
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import psutil
import pytest

from crawler.status.report import read_counters
from exchange.errors import Busy, UsageError
from exchange.lock import LIVE_LOCK, FileLock, daemon_lock
from exchange.project import Project
from kkoracle.demo.progress import spool_counters
from kkoracle.service import install
from kkoracle.service.services import UserService, plan_services
from tests.conftest import run_cli, until, write_project
from tests.crawler.harness import PROFILE
from tests.crawler.loopback import Loopback, paper
from tests.workers.endpoint import Endpoint, answer_about

Maker = Callable[..., Project]
ODD = 'a "b" %h $HOME'


def services(project: Project) -> list[UserService]:
    return plan_services(project, "paper", follow=True)


def verify(*units: Path) -> subprocess.CompletedProcess[str]:
    """What systemd itself says of unit files."""
    return subprocess.run(
        ["systemd-analyze", "verify", *map(str, units)], capture_output=True, text=True, check=False
    )


def test_systemd_finds_nothing_wrong_with_the_units_even_in_an_odd_folder(
    tmp_path: Path, tiny_model: Path
) -> None:
    odd = tmp_path / ODD
    odd.mkdir()
    written = install.service_files(
        services(write_project(odd, tiny_model)), "paper", tmp_path, "linux"
    )
    for path, text in written.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    said = verify(*written)
    assert said.returncode == 0 and not said.stderr.strip(), said.stderr
    first = next(iter(written))
    first.write_text(written[first].replace("Restart=on-failure", "Restart=now and then"))
    assert "restart specifier" in verify(first).stderr  # it does look


def test_units_say_order_restart_logs_path_and_folder(make_project: Maker, tmp_path: Path) -> None:
    project = make_project()
    redis, daemon, worker = install.service_files(
        services(project), "paper", tmp_path, "linux"
    ).values()
    for unit in (daemon, worker):
        assert "After=kkoracle-paper-redis.service" in unit
    assert "After=" not in redis
    for unit, name in ((redis, "redis"), (daemon, "daemon"), (worker, "worker")):
        assert "Restart=on-failure" in unit and "RestartPreventExitStatus=2" in unit
        assert f"StandardOutput=append:{project.data}/logs/{name}.log" in unit
        assert f"WorkingDirectory={tmp_path}" in unit
        assert f'Environment="PATH={os.environ["PATH"]}"' in unit
    assert '"crawl" "paper" "--follow"' in daemon


def test_live_runs_in_place_of_daemon_and_worker(make_project: Maker, tmp_path: Path) -> None:
    project = make_project()
    redis, live = plan_services(project, "paper", live=True)
    assert (redis.name, live.name) == ("redis", "live")
    assert live.command[-2:] == ("live", "paper") and live.after == ("redis",)
    with pytest.raises(UsageError, match="alone"):
        plan_services(project, "paper", live=True, worker=False)
    unit = install.service_files([live], "paper", tmp_path, "linux").popitem()[1]
    assert '"live" "paper"' in unit and "Restart=on-failure" in unit


def test_agents_are_property_lists_that_say_the_same(make_project: Maker, tmp_path: Path) -> None:
    project = make_project()
    written = install.service_files(services(project), "paper", tmp_path, "darwin")
    assert [path.name for path in written] == [
        f"kkoracle.paper.{name}.plist" for name in ("redis", "daemon", "worker")
    ]
    for (path, text), service in zip(written.items(), services(project), strict=True):
        agent = plistlib.loads(text.encode())
        assert path.parent == tmp_path / "Library" / "LaunchAgents"
        assert agent["Label"] == path.stem and agent["ProgramArguments"] == list(service.command)
        assert agent["KeepAlive"] == {"SuccessfulExit": False} and agent["RunAtLoad"] is True
        assert agent["EnvironmentVariables"]["PATH"] == os.environ["PATH"]
        assert agent["StandardOutPath"] == agent["StandardErrorPath"] == str(service.log)


def test_a_configured_redis_is_not_kept_by_us(make_project: Maker) -> None:
    project = make_project()
    object.__setattr__(project.redis, "url", "redis://127.0.0.1:6379/0")
    assert [service.name for service in services(project)] == ["daemon", "worker"]


def test_a_machine_that_only_works_has_only_a_worker(make_project: Maker) -> None:
    project = make_project()
    (worker,) = plan_services(project, "paper", redis=False, daemon=False)
    assert worker.name == "worker" and worker.after == ()
    with pytest.raises(UsageError, match="no service is left"):
        plan_services(project, "paper", redis=False, daemon=False, worker=False)


def test_what_only_this_shell_knows_is_refused_and_not_written_down(
    tmp_path: Path, make_project: Maker
) -> None:
    make_project()
    said = run_cli("install-service", "--print", cwd=tmp_path, KKORACLE_WORK_API_KEY="hush")
    assert said.returncode == 2 and "KKORACLE_WORK_API_KEY" in said.stderr
    assert "hush" not in said.stdout + said.stderr


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose PATH has a `systemctl` that notes what it is told."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "systemctl").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/told\n')
    (tools / "systemctl").chmod(0o755)
    return tmp_path


def test_installed_started_stopped_and_removed(home: Path, make_project: Maker) -> None:
    make_project()
    path = f"{home}/tools:{os.environ['PATH']}"
    said = run_cli("install-service", cwd=home, HOME=str(home), PATH=path)
    assert said.returncode == 0, said.stderr
    units = sorted((home / ".config" / "systemd" / "user").iterdir())
    assert [unit.name for unit in units] == [
        f"kkoracle-paper-{name}.service" for name in ("daemon", "redis", "worker")
    ]
    assert all(unit.stat().st_mode & 0o077 == 0 for unit in units)
    gone = run_cli("uninstall-service", cwd=home, HOME=str(home), PATH=path)
    assert gone.stdout.count("removed") == 3 and not any(unit.exists() for unit in units)
    names = [f"kkoracle-paper-{name}.service" for name in ("redis", "daemon", "worker")]
    told = [line.removeprefix("--user ") for line in (home / "told").read_text().splitlines()]
    assert told == [
        "daemon-reload",
        " ".join(["enable --now", *names]),
        " ".join(["disable --now", *reversed(names)]),
        "daemon-reload",
    ]
    again = run_cli("uninstall-service", cwd=home, HOME=str(home), PATH=path)
    assert again.returncode == 0 and "no service" in again.stdout


def test_what_is_installed_later_takes_the_place_of_what_does_the_same(
    home: Path, make_project: Maker
) -> None:
    make_project()
    path = f"{home}/tools:{os.environ['PATH']}"
    for flags, names in (
        ((), {"redis", "daemon", "worker"}),
        (("--live",), {"redis", "live"}),
        (("--no-daemon",), {"redis", "worker"}),
    ):
        said = run_cli("install-service", *flags, cwd=home, HOME=str(home), PATH=path)
        assert said.returncode == 0, said.stderr
        units = (home / ".config" / "systemd" / "user").iterdir()
        assert {unit.stem.rpartition("-")[2] for unit in units} == names
    assert "disable --now kkoracle-paper-live.service" in (home / "told").read_text()


def test_where_the_system_does_not_take_them_the_files_stay_with_what_to_run(
    home: Path, make_project: Maker
) -> None:
    make_project()
    (home / "tools" / "systemctl").write_text("#!/bin/sh\necho no bus here >&2\nexit 1\n")
    path = f"{home}/tools:{os.environ['PATH']}"
    said = run_cli("install-service", cwd=home, HOME=str(home), PATH=path)
    assert said.returncode == 1 and "systemctl --user daemon-reload" in said.stderr
    assert "no bus here" in said.stderr and len(said.stderr.strip().splitlines()) == 1
    assert len(list((home / ".config" / "systemd" / "user").iterdir())) == 3


# -- everything killed at once --------------------------------------------------------------------


def test_what_runs_in_a_terminal_is_no_second_time_installed(
    tmp_path: Path, make_project: Maker
) -> None:
    project = make_project()
    folder = project.archive_dir("paper")
    install.require_nobody(services(project), folder, tmp_path)
    with FileLock(folder / LIVE_LOCK), pytest.raises(Busy, match=f"pid {os.getpid()}"):
        install.require_nobody(services(project), folder, tmp_path)
    with daemon_lock(folder):
        with pytest.raises(Busy, match=f"pid {os.getpid()}"):
            install.require_nobody(plan_services(project, "paper", live=True), folder, tmp_path)
        own = install.service_path("paper", "daemon", tmp_path)
        own.parent.mkdir(parents=True)
        own.touch()  # it is that service which runs, and it ends before the new one begins
        install.require_nobody(plan_services(project, "paper", live=True), folder, tmp_path)


@contextmanager
def newspaper(folder: Path, model: Path, site: str, endpoint: str) -> Iterator[Project]:
    folder.mkdir()
    (folder / "profile.toml").write_text(PROFILE, "utf-8")
    yield write_project(
        folder,
        model,
        f'engine = "openai"\nurl = "{endpoint}"\n[crawl]\ncontact = "t@example.org"\ndelay = 0.05\n'
        f'min_free_mb = 0\nprofile = "profile.toml"\nbase_url = "{site}"\n',
    )


def commands(folder: Path) -> list[list[str]]:
    """What the units run."""
    said = run_cli("install-service", "--print", cwd=folder)
    assert said.returncode == 0, said.stderr
    lines = [line for line in said.stdout.splitlines() if line.startswith("ExecStart=")]
    return [shlex.split(line.removeprefix("ExecStart=")) for line in lines]


Start = Callable[[Path], list[subprocess.Popen[str]]]


@pytest.fixture
def start(popen: Callable[..., subprocess.Popen[str]]) -> Start:
    """Runs what the units run, as the units would."""

    def started(folder: Path) -> list[subprocess.Popen[str]]:
        return [popen(*command[1:], cwd=folder) for command in commands(folder)]

    return started


def counted(project: Project) -> dict[str, int]:
    """Everything that counts what is stored; requests and tries may differ."""
    directory = project.archive_dir()
    found = spool_counters(directory)
    kept = ("pages.", "text.", "reason.")
    return found | {n: c for n, c in read_counters(directory).items() if n.startswith(kept)}


def finish(running: list[subprocess.Popen[str]], seconds: float = 90) -> None:
    """Wait until the daemon has done all; then end the others."""
    assert running[1].wait(seconds) == 0
    for process in (running[2], running[0]):
        process.terminate()
    for process in running:
        process.wait(30)


def family(pids: set[int]) -> set[int]:
    """These processes and their descendants."""
    found = [child for pid in pids for child in psutil.Process(pid).children(recursive=True)]
    return pids | {child.pid for child in found}


def about_story(prompt: str) -> str:
    """A pair that passes the checks: a newspaper whose pairs are all rejected is a loss."""
    told = re.search(r"αριθμό (\d+)\s+γράφτηκε στις (\d+)", prompt)
    if told is None:
        return answer_about(prompt)
    asked = f"Ερώτηση: Πότε γράφτηκε η ιστορία με αριθμό {told[1]};"
    return f"{asked}\nΑπάντηση: Στις {told[2]} Μάη 1998."


@pytest.mark.storm
def test_all_killed_at_once_and_started_again_counts_as_if_undisturbed(
    tmp_path: Path, tiny_model: Path, start: Start
) -> None:
    links = [f"/story/{n}" for n in range(40)]
    with Loopback(paper(*links)) as site, Endpoint(delay=0.1, reply=about_story) as endpoint:
        with newspaper(tmp_path / "calm", tiny_model, site.url, endpoint.url) as calm:
            finish(start(tmp_path / "calm"))
        with newspaper(tmp_path / "storm", tiny_model, site.url, endpoint.url) as storm:
            running = start(tmp_path / "storm")
            until(lambda: counted(storm).get("tasks.done", 0) >= 8, every=0.02)
            notes = orjson.loads((storm.redis_dir / "redis.json").read_bytes())
            for pid in family({int(notes["pid"]), *(process.pid for process in running)}):
                os.kill(pid, signal.SIGKILL)
            for process in running:
                process.wait()
            left = counted(storm)
            again = start(tmp_path / "storm")
            finish(again)
    assert left["tasks.done"] < counted(calm)["tasks.done"]
    assert counted(storm) == counted(calm) and counted(calm)["stories"] == 40
    assert all("Traceback" not in (one.stdout.read() if one.stdout else "") for one in again)
