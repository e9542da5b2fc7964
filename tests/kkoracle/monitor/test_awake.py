"""A machine kept awake while there is work, and no longer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kkoracle.monitor import awake
from tests.conftest import arguments_of, cli_environment, is_running, until


def test_the_machine_is_kept_awake_while_wanted_and_never_longer_than_we_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "systemd-inhibit"  # a logind would be needed for the real one
    tool.write_text('#!/bin/sh\nwhile [ "${1#--}" != "$1" ]; do shift; done\nexec "$@"\n')
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    script = (
        "import time\nfrom kkoracle.monitor.awake import SleepInhibitor\n"
        "held = SleepInhibitor()\nheld.want(True)\nprint(held._child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=cli_environment(PATH=os.environ["PATH"]),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    child = int(process.stdout.readline())
    until(lambda: "tail" in arguments_of(child), 10)
    process.kill()
    process.wait()
    process.stdout.close()
    until(lambda: not is_running(child), 10)
    with awake.SleepInhibitor() as held:
        held.want(True)
        assert held.held
        held.want(False)
        assert not held.held
        held.want(True)
    assert not held.held


def test_a_machine_that_cannot_be_kept_awake_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "systemd-inhibit"
    tool.write_text(f"#!/bin/sh\necho asked >> {tmp_path}/asked\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    held = awake.SleepInhibitor()
    deadline = time.monotonic() + 10
    while held._command and time.monotonic() < deadline:
        held.want(True)
        time.sleep(0.05)
    for _ in range(3):
        held.want(True)
    assert (tmp_path / "asked").read_text().count("asked") == 1


def test_on_a_mac_caffeinate_holds_on_to_our_own_process() -> None:
    assert awake.inhibit_command("darwin", 41) == ["caffeinate", "-i", "-w", "41"]
    assert awake.inhibit_command("plan9") == []
