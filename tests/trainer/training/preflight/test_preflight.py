"""The preflight through the command line: what it says, what it changes, what it leaves alone."""

from __future__ import annotations

import json
import re
import resource
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SENTENCES, run_python
from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk
from tests.trainer.filling import fill
from tools.tiny_model import make_tiny_model

SHORT = RECIPE + "epochs = 2\n"


def adapter(desk: Desk, name: str) -> bytes:
    return (desk.run_folder(name) / "adapters.safetensors").read_bytes()


def summary(desk: Desk, name: str = "default") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((desk.run_folder(name) / "summary.json").read_text())
    return loaded


def ready(desk: Desk, name: str = "default") -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((desk.run_folder(name) / "preflight.json").read_text())
    return loaded


def limited(desk: Desk, gigabytes: float, more: str = "") -> None:
    desk.configure(SHORT + f"memory_gb = {gigabytes}\n{more}")


def largest_difference(one: Path, other: Path) -> float:
    from safetensors.numpy import load_file

    ours, theirs = load_file(one), load_file(other)
    assert ours.keys() == theirs.keys()
    return max(float(abs(ours[name] - theirs[name]).max()) for name in ours)


def test_a_dry_run_says_what_it_takes_and_leaves_no_run_behind(built: Desk) -> None:
    said = " ".join(built.cli("train", "--dry-run").stdout.split())
    for wanted in (
        r"memory .* [\d.]+ MB at the peak",
        r"time .* at most, until",
        r"kWh at 65 W",
        r"epochs, steps",
        r"padding .* \d+\.\d%",
    ):
        assert re.search(wanted, said), wanted
    assert not (built.archive / "runs").exists()
    assert not list(built.archive.glob("preflight-*"))


def test_memory_and_processor_time_are_as_foretold(built: Desk) -> None:
    """Widely: how close it comes is measured by a bench, on a machine that is left in peace."""
    built.configure(RECIPE + "epochs = 12\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    built.cli("train")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    forecast = ready(built)["forecast"]
    assert forecast["peak_bytes"] == pytest.approx(summary(built)["peak_bytes"], rel=0.25)
    total = forecast["ahead"]["cpu_s"] + forecast["before"]["cpu_s"]
    assert total == pytest.approx(took, rel=1.0)


def test_measured_or_not_the_run_is_the_same_bit_for_bit(built: Desk) -> None:
    """With dropout, so that the random numbers count; the other run is the bare loop."""
    built.configure(SHORT + "dropout = 0.1\n")
    built.cli("train")
    bare = ("-m", "tests.trainer.training.preflight.bare", str(built.folder))
    done = run_python(*bare, **ONE_THREAD)
    assert done.returncode == 0, done.stderr
    assert adapter(built, "default") == adapter(built, "bare")


def test_a_run_that_does_not_fit_is_computed_in_parts_and_learns_the_same(built: Desk) -> None:
    built.configure(SHORT)
    built.cli("train", "--name", "roomy")
    limited(built, 0.45 * summary(built, "roomy")["peak_bytes"] / 1e9)
    said = built.cli("train", "--name", "tight").stdout
    assert re.search(r"computed in \d parts of \d rows, whose gradients are summed", said)
    assert ready(built, "tight")["way"]["parts"] > 1
    assert summary(built, "tight")["peak_bytes"] < 0.6 * summary(built, "roomy")["peak_bytes"]
    assert summary(built, "tight")["steps"] == summary(built, "roomy")["steps"]
    files = [built.run_folder(name) / "adapters.safetensors" for name in ("roomy", "tight")]
    assert largest_difference(*files) < 1e-4


def test_what_fits_in_no_way_is_refused_before_anything_is_written(built: Desk) -> None:
    limited(built, 0.0015)
    assert "it would swap, so it is not started" in built.refuses("train", "--dry-run")
    assert not (built.archive / "runs").exists()


def test_where_only_a_4_bit_copy_fits_that_is_tuned_and_the_same_command_goes_on(
    desk: Desk,
) -> None:
    fill(desk.archive, 8)
    desk.cli("dataset", "build")
    big = make_tiny_model(desk.folder / "big", SENTENCES * 4, hidden=384, heads=8)
    weights = (big / "model.safetensors").stat().st_size
    desk.configure(
        RECIPE + f"epochs = 1\nrank = 2\nlayers = 1\nmemory_gb = {0.95 * weights / 1e9}\n"
    )
    said = desk.cli("train", "--model", str(big)).stdout
    assert "a 4-bit copy of the model is tuned instead" in " ".join(said.split())
    assert Path(ready(desk)["model"]).parent == desk.folder / "data" / "models"
    assert summary(desk)["peak_bytes"] < 0.95 * weights
    assert "is finished already" in desk.cli("train", "--model", str(big)).stdout
