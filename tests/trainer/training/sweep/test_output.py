"""Putting the rate into a config file that a person wrote."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from exchange.errors import UsageError
from trainer.training.sweep.output import write_rate


@pytest.mark.parametrize(
    "text",
    [
        'data = "d"\n',
        '[train]\nrank = 4\n[model]\nname = "x"\n',
        '[model]\nname = "x"\n\n[train]  # mine\nlr = 0.1 # was too much\nrank = 4\n',
        "[train]\n# lr = 0.0002  # peak learning rate\n# rank = 16\n",
        "[train]",
    ],
)
def test_the_rate_is_set_and_all_else_stays(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kkoracle.toml"
    path.write_text(text, "utf-8")
    before = tomllib.loads(text)
    write_rate(path, 3.1e-4)
    after = tomllib.loads(path.read_text("utf-8"))
    assert after.pop("train") == {**before.pop("train", {}), "lr": 3.1e-4}
    assert after == before
    kept = [line for line in text.splitlines() if "lr" not in line and line != "[train]"]
    assert all(line in path.read_text("utf-8") for line in kept)


def test_a_file_that_cannot_be_changed_safely_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "kkoracle.toml"
    path.write_text("train = { rank = 4 }\n", "utf-8")
    with pytest.raises(UsageError, match="changed safely"):
        write_rate(path, 1e-3)
    assert path.read_text("utf-8") == "train = { rank = 4 }\n"
    with pytest.raises(UsageError, match="kkoracle init"):
        write_rate(None, 1e-3)
