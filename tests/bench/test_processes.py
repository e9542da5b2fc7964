"""What a command took, its children included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench import processes
from tests.conftest import ROOT, cli_environment, until

FAMILY = """
    1     0   900
   10     1   100
   11    10    20
   12    11     3
   20     1  5000
"""


def test_a_family_is_the_command_and_everything_below_it() -> None:
    assert processes.family_rss(FAMILY, {10}) == (123, {10, 11, 12})


def test_one_that_lost_its_parent_stays_in_the_family_and_the_dead_leave_it() -> None:
    orphaned = FAMILY.replace("   11    10    20\n", "").replace("12    11", "12     1")
    assert processes.family_rss(orphaned, {10, 11, 12}) == (103, {10, 12})


def test_a_childs_memory_and_processor_count(tmp_path: Path) -> None:
    child = "x = b'x' * (120 << 20)\nimport time\nt = time.process_time()\n" + (
        "while time.process_time() - t < 0.7: pass"
    )
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    log = tmp_path / "log"
    took = processes.run([sys.executable, "-c", code], tmp_path, os.environ, log)
    assert took.code == 0 and log.read_bytes() == b""
    assert took.rss_mb > 120 and took.cpu_s > 0.6


def test_the_command_is_run_as_from_a_shell() -> None:
    env = {
        "KKORACLE_BLAS": "1",
        "LD_PRELOAD": "/a/libx.so /b/libopenblas.so.0",
        "HOME": "/h",
        "OPENBLAS_NUM_THREADS": "1",
    }
    assert processes.as_from_a_shell(env) == {"LD_PRELOAD": "/a/libx.so", "HOME": "/h"}
    assert processes.as_from_a_shell({"LD_PRELOAD": "/a/libx.so"}) == {"LD_PRELOAD": "/a/libx.so"}


def test_whatever_is_compared_computes_with_one_blas_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "8")
    found = processes.mlx_environment()
    assert found["OPENBLAS_NUM_THREADS"] == found["OMP_NUM_THREADS"] == "1"


def test_a_stopped_bench_stops_what_it_runs(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path; from bench import processes;"
        "signal.signal(signal.SIGTERM, signal.default_int_handler);"
        "here = Path(sys.argv[1]);"
        "processes.run(['sh', '-c', 'echo $$; exec sleep 60'], here, os.environ, here / 'log')"
    )
    bench = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        env=cli_environment(),
        stderr=subprocess.DEVNULL,
    )
    log = tmp_path / "log"
    until(lambda: log.exists() and bool(log.read_text().strip()), 20, bench)
    bench.send_signal(signal.SIGTERM)
    bench.wait(20)
    pid = log.read_text().strip()
    alive = subprocess.run(["ps", "-p", pid], capture_output=True, check=False)
    assert alive.returncode == 1
