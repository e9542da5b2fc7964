"""Files of messages stay small while others write into them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from exchange.logs import LOG_BYTES, bound_log
from tests.conftest import cli_environment, until

WRITER = """
import sys, time
number = 0
while True:
    sys.stderr.write(f"{number} {'x' * 90}\\n")
    number += 1
    time.sleep(0.001)
"""
MOST, KEPT = 20_000, 4


def test_a_log_is_put_aside_while_two_processes_write_into_it(tmp_path: Path) -> None:
    log = tmp_path / "work.log"
    writers = []
    for _ in range(2):
        with log.open("ab") as file:
            writers.append(subprocess.Popen([sys.executable, "-c", WRITER], stderr=file))
    seen: list[str] = []
    try:
        deadline, moved = time.monotonic() + 30, 0
        while moved < 2 * KEPT and time.monotonic() < deadline:
            if bound_log(log, MOST, KEPT):
                moved += 1
                seen += log.with_name("work.log.1").read_text().splitlines()
            time.sleep(0.01)
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    assert moved == 2 * KEPT
    seen += log.read_text().splitlines()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "work.log",
        *(f"work.log.{number}" for number in range(1, KEPT + 1)),
    ]
    assert all(path.stat().st_size < 2 * MOST for path in tmp_path.iterdir())
    numbers = [int(line.split()[0]) for line in seen]
    assert all(line.endswith("x" * 90) for line in seen)  # none is cut in two
    assert len(numbers) == len(seen) and max(numbers.count(one) for one in set(numbers)) <= 2
    assert len(set(numbers)) >= 0.98 * (max(numbers) + 1)


def test_a_small_one_and_a_missing_one_are_left_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    assert not bound_log(log)
    log.write_text("little")
    assert not bound_log(log) and log.read_text() == "little"


def test_a_command_keeps_the_log_small_that_a_service_gave_it(tmp_path: Path) -> None:
    (tmp_path / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n')
    logs = {"ours": tmp_path / "data" / "logs" / "redis.log", "theirs": tmp_path / "their.log"}
    for path in logs.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 99 + b"\n")
        with path.open("ab") as file:
            file.truncate(LOG_BYTES + 1)
            running = subprocess.Popen(
                [sys.executable, "-m", "kkoracle", "redis"],
                cwd=tmp_path,
                env=cli_environment(),
                stdout=file,
                stderr=file,
            )
        try:
            until(lambda path=path: b"Ctrl-C" in path.read_bytes()[-500:], 60)  # type: ignore[misc]
        finally:
            running.terminate()
            running.wait(30)
    assert logs["ours"].stat().st_size < 1000
    assert logs["ours"].with_name("redis.log.1").stat().st_size == LOG_BYTES + 1
    assert logs["theirs"].stat().st_size > LOG_BYTES
