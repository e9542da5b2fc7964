"""The loop's arithmetic against plain references; see `tests/trainer/training/numbers.py`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import cli_environment
from tests.trainer.training.numbers import CHECKS


@pytest.fixture(scope="module")
def outcome(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.trainer.training.numbers",
            str(tiny_model),
            str(tmp_path_factory.mktemp("numbers")),
        ],
        env=cli_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [function.__name__ for function in CHECKS])
def test(name: str, outcome: dict[str, str]) -> None:
    assert not outcome[name], outcome[name]
