"""The loop's arithmetic against plain references; see `tests/trainer/training/numbers.py`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import run_python
from tests.trainer.training.numbers import CHECKS


@pytest.fixture(scope="module")
def outcome(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("numbers")
    done = run_python("-m", "tests.trainer.training.numbers", str(tiny_model), str(folder))
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("name", [function.__name__ for function in CHECKS])
def test(name: str, outcome: dict[str, str]) -> None:
    assert not outcome[name], outcome[name]
