"""The faults' bench in small: real processes killed at random, and the way through Redis."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from typing import Any

import orjson
import pytest

from bench.faults.chaos import OTHERS, SHARES, fault_order
from tests.conftest import ROOT, cli_environment


def bench(*options: str) -> dict[str, Any]:
    said = subprocess.run(
        [sys.executable, "-m", "bench", "faults", "--quick", "--json", *options],
        cwd=ROOT,
        env=cli_environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    found: dict[str, Any] = orjson.loads(said.stdout.splitlines()[-1])
    found["said"] = said.stderr
    return found


@pytest.mark.storm
def test_random_kills_lose_nothing_and_store_nothing_twice() -> None:
    found = bench("--tasks", "80", "--kills", "8", "--poison", "0")
    assert found["kills"] >= 4, found["said"]
    assert found["done"] == 80 and found["lost"] == found["failed"] == 0, found["said"]
    assert found["duplicated"] == found["unexpected"] == 0, found["said"]
    assert found["rerun_share"] <= found["rerun_limit"]


def test_redis_stays_small_while_tasks_flow() -> None:
    found = bench("--flow", "--tasks", "1500", "--chunks", "3000")
    assert found["redis_mb"] <= 50 and found["redis_stopped_mb"] <= found["redis_mb"]
    assert found["worker_cpu_ms"] > 0 and found["daemon_cpu_ms"] > 0


def test_the_faults_are_the_same_for_the_same_seed_and_of_every_kind() -> None:
    first = fault_order(30, random.Random(3))
    assert first == fault_order(30, random.Random(3)) != fault_order(30, random.Random(4))
    counted = Counter(first)
    assert sum(counted[kind] for kind in SHARES) == 30 and set(SHARES) <= set(counted)
    assert sum(counted[kind] for kind in OTHERS) == sum(OTHERS.values())
