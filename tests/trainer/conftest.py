"""A folder of its own per test, with config, spool and tiny model; and one trained run for all."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SENTENCES, run_cli
from tests.trainer.filling import fill
from trainer.dataset import read_split
from trainer.training.preference import Invention, write_inventions

# A small model takes a far larger rate than a 7B one.
RECIPE = "lr = 5e-3\nbatch = 8\nsamples = 2\nsample_tokens = 12\n"
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}  # sums in one order: runs are equal bit for bit


@dataclass(frozen=True)
class Desk:
    """One newspaper whose pairs are waiting in its spool."""

    folder: Path
    model: Path

    @property
    def archive(self) -> Path:
        return self.folder / "data" / "paper"

    @property
    def dataset(self) -> Path:
        return self.archive / "dataset"

    def run_folder(self, name: str = "default") -> Path:
        return self.archive / "runs" / name

    def configure(self, train: str = RECIPE) -> None:
        (self.folder / "kkoracle.toml").write_text(
            f'data = "data"\narchive = "paper"\n[model]\nname = "{self.model}"\n'
            f"[dataset]\nvalid = 0.15\nunseen = 0.15\n[train]\n{train}",
            "utf-8",
        )

    def cli(self, *arguments: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command, and check its exit code unless `code` is None."""
        done = run_cli(*arguments, cwd=self.folder, **ONE_THREAD)
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    def refuses(self, *arguments: str, code: int = 1) -> str:
        """The one line with which a command refuses."""
        done = self.cli(*arguments, code=code)
        lines = done.stderr.strip().splitlines()
        assert len(lines) == 1, done.stderr
        return lines[0]


@pytest.fixture
def desk(tmp_path: Path, tiny_model: Path) -> Desk:
    made = Desk(tmp_path, tiny_model)
    made.configure()
    return made


@pytest.fixture
def built(desk: Desk) -> Desk:
    """With 20 stories of 3 pairs and a dataset of them."""
    fill(desk.archive, 20)
    desk.cli("dataset", "build")
    return desk


def with_inventions(desk: Desk, run: str = "first") -> tuple[str, ...]:
    """Train a run a little and let it have invented something; returns the words that go on."""
    desk.cli("train", "--name", run, "--epochs", "1", "--recipe", "sft")
    rows = read_split(desk.dataset, "train")
    folder = desk.run_folder(run)
    found = [Invention(row, f"{row.answer} Ή μήπως όχι;") for row in rows[::3]]
    assert write_inventions(folder, folder, found) == len(found)
    return ("--continue", run, "--recipe", "preference")


def make_learner(folder: Path) -> Path:
    """A model in this folder that can learn its rows word for word, with random weights.

    Twice as wide as the smallest: with frozen weights that one cannot tell towns apart.
    """
    from tools.tiny_model import make_tiny_model

    return make_tiny_model(folder / "model", SENTENCES * 4, hidden=128, heads=8)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A finished run that has really learned its rows; nobody changes it."""
    folder = tmp_path_factory.mktemp("trained")
    desk = Desk(folder, make_learner(folder))
    desk.configure(RECIPE.replace("= 12", "= 40") + "epochs = 30\nevaluate_every = 60\n")
    fill(desk.archive, 20)
    desk.cli("dataset", "build")
    (desk.folder / "train.txt").write_text(desk.cli("train").stdout, "utf-8")
    return desk
