"""Stopped, killed, begun otherwise: a run goes on exactly, or says why it does not."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
from collections.abc import Callable
from typing import get_args

import pytest

from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk, with_inventions
from tests.trainer.filling import fill
from tests.trainer.reading import lines, result, steps, until
from trainer.training.run_config import LATER_SETTINGS, RunConfig
from trainer.training.settings import RecipeName

SEED = 11
# With dropout, so that the random numbers have to come back too.
SHORT = RECIPE.replace("= 8", "= 4") + "accumulate = 2\nsave_every = 3\ndropout = 0.1\n"

Popen = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def killed_at(built: Desk, popen: Popen) -> Callable[..., None]:
    """Starts or goes on with the run `killed`, and kills it as soon as so many steps are seen."""

    def run(step: int, *words: str) -> None:
        folder = built.run_folder("killed")
        command = ("-m", "kkoracle", "train", "--name", "killed", *words)
        process = popen(*command, cwd=built.folder, **ONE_THREAD)
        until(lambda: steps(folder) >= step, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (folder / "summary.json").exists()

    return run


def test_killed_at_five_random_steps_it_ends_exactly_as_undisturbed(
    built: Desk, killed_at: Callable[[int], None]
) -> None:
    built.configure(SHORT + "epochs = 9\n")
    built.cli("train", "--name", "calm")
    count = steps(built.run_folder("calm"))
    for step in sorted(random.Random(SEED).sample(range(1, count - 4), 5)):
        killed_at(step)
    said = built.cli("train", "--name", "killed").stdout
    assert re.search(rf"going on after step \d+ of {count}", said)
    assert result(built.run_folder("killed")) == result(built.run_folder("calm"))


def test_a_run_that_began_under_version_0_1_goes_on(
    built: Desk, killed_at: Callable[[int], None]
) -> None:
    built.configure(SHORT + "epochs = 4\n")
    built.cli("train", "--name", "calm")
    killed_at(7)
    folder = built.run_folder("killed")
    record = json.loads((folder / "run.json").read_bytes())
    now = RunConfig(**record).sha
    for name in list(record["settings"]):
        if name in LATER_SETTINGS or name.startswith(("distil_", "preference_")):
            del record["settings"][name]
    (folder / "run.json").write_text(json.dumps(record))
    state = (folder / "state.safetensors").read_bytes()
    first = RunConfig(**record).first_sha
    assert state.count(now.encode()) == 1 and first != now
    (folder / "state.safetensors").write_bytes(state.replace(now.encode(), first.encode()))
    assert "going on after step" in built.cli("train", "--name", "killed").stdout
    assert result(folder) == result(built.run_folder("calm"))


def test_what_is_known_comes_back_with_the_rest(
    built: Desk, killed_at: Callable[[int], None]
) -> None:
    few = RECIPE.replace("= 8", "= 4") + "save_every = 4\npatience = 0\nuntil_learned = true\n"
    built.configure(few + "epochs = 16\n")
    built.cli("train", "--name", "calm")
    calm = result(built.run_folder("calm"))
    known = [entry["known"] for entry in calm["metrics"] if "known" in entry]
    assert known[-1] > known[0] and len(known) == 16
    each = steps(built.run_folder("calm")) // 16
    for step in (each, 8 * each - 1, 13 * each + 1):  # around the ends of epochs
        killed_at(step)
    built.cli("train", "--name", "killed")
    assert result(built.run_folder("killed")) == calm


@pytest.mark.parametrize("recipe", ["distil", "dora", "full"])
def test_the_other_recipes_go_on_exactly_too_with_the_trunk_cache(
    built: Desk, killed_at: Callable[[int], None], recipe: str
) -> None:
    built.configure(SHORT + f'epochs = 4\nlayers = 1\nrecipe = "{recipe}"\n')

    def kept() -> dict[str, int]:
        return {
            f"{path.relative_to(built.archive)}": path.stat().st_mtime_ns
            for folder in ("trunk", "teacher")
            for path in built.archive.glob(f"{folder}/*/*")
        }

    killed_at(5)  # this one fills the cache, and a kill is no reason to fill it again
    before = kept()
    built.cli("train", "--name", "killed")
    built.cli("train", "--name", "calm")
    assert before == kept()
    assert any(name.startswith("trunk") for name in before)
    assert any(name.startswith("teacher") for name in before) == (recipe == "distil")
    assert result(built.run_folder("killed")) == result(built.run_folder("calm"))


@pytest.mark.parametrize("layers", [0, 1])
def test_pairs_go_on_exactly_with_and_without_the_trunk_cache(
    built: Desk, killed_at: Callable[..., None], layers: int
) -> None:
    built.configure(SHORT + f"epochs = 4\nlayers = {layers}\n")
    words = with_inventions(built)
    for step in (3, 7):
        killed_at(step, *words)
    built.cli("train", "--name", "killed", *words)
    built.cli("train", "--name", "calm", *words)
    calm = result(built.run_folder("calm"))
    assert any(entry.get("preferred") is not None for entry in calm["metrics"])
    assert result(built.run_folder("killed")) == calm
    assert bool([*built.archive.glob("trunk/*/*")]) == bool(layers)


@pytest.mark.parametrize("layers", [0, 1])
def test_what_each_epoch_draws_anew_comes_back_with_and_without_the_trunk_cache(
    built: Desk, killed_at: Callable[[int], None], layers: int
) -> None:
    built.configure(SHORT + f"epochs = 5\nopen_book = 0.5\nlayers = {layers}\n")
    built.cli("train", "--name", "calm")
    each = steps(built.run_folder("calm")) // 5
    for step in (each + 1, 3 * each - 1):
        killed_at(step)
    built.cli("train", "--name", "killed")
    assert result(built.run_folder("killed")) == result(built.run_folder("calm"))


@pytest.mark.parametrize("recipe", ["sft", "preference"])
def test_a_run_goes_on_in_smaller_batches_with_the_same_rows_at_each_step(
    built: Desk, killed_at: Callable[..., None], recipe: str
) -> None:
    from safetensors.numpy import load_file

    usual = RECIPE + "save_every = 3\nepochs = 4\n"
    built.configure(usual)
    words = with_inventions(built) if recipe == "preference" else ()
    built.cli("train", "--name", "calm", *words)
    killed_at(4, *words)
    built.configure(
        usual.replace("batch = 8", "batch = 4") + "accumulate = 2\ngrad_checkpoint = true\n"
    )
    said = built.cli("train", "--name", "killed", *words).stdout
    assert "going on after step" in said and re.search(r"activations\W+computed twice", said)
    calm, killed = (built.run_folder(name) for name in ("calm", "killed"))
    told, other = (lines(folder / "metrics.jsonl") for folder in (calm, killed))
    assert [(one["step"], one.get("tokens")) for one in told] == [
        (one["step"], one.get("tokens")) for one in other
    ]
    ours, theirs = (load_file(folder / "adapters.safetensors") for folder in (calm, killed))
    assert max(float(abs(ours[name] - theirs[name]).max()) for name in ours) < 1e-4
    line = built.refuses("train", "--name", "killed", *words, "--batch", "16", code=2)
    assert "batch * accumulate was 8, is 32" in line


@pytest.mark.storm
@pytest.mark.parametrize("recipe", get_args(RecipeName))
def test_killed_at_each_point_of_writing_a_checkpoint_it_ends_exactly_as_undisturbed(
    desk: Desk, popen: Popen, recipe: str
) -> None:
    desk.configure(
        "lr = 5e-3\nbatch = 8\nsamples = 1\nsample_tokens = 4\nepochs = 6\naccumulate = 2\n"
        f'dropout = 0.1\nevaluate_every = 1\nsave_every = 1\npatience = 0\nrecipe = "{recipe}"\n'
    )
    path = desk.folder / "kkoracle.toml"
    path.write_text(path.read_text().replace("[dataset]\n", "[dataset]\ntext = 0.2\n"))
    fill(desk.archive, 12)
    desk.cli("dataset", "build")
    words = with_inventions(desk) if recipe == "preference" else ()
    lives = ("-m", "tests.trainer.training.dying", "calm", "killed", *words)
    dying = popen(*lives, cwd=desk.folder, **ONE_THREAD)
    said, _ = dying.communicate(timeout=900)
    assert dying.returncode == 0, said
    deaths = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert len(deaths) >= 20 and {death["died"] for death in deaths} == {-signal.SIGKILL}
    assert result(desk.run_folder("killed")) == result(desk.run_folder("calm"))


def test_ctrl_c_ends_with_3_and_the_same_command_goes_on(built: Desk, popen: Popen) -> None:
    built.configure(SHORT.replace("save_every = 3", "save_every = 1000"))
    process = popen("-m", "kkoracle", "train", cwd=built.folder, **ONE_THREAD)
    until(lambda: steps(built.run_folder()) >= 3, process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 3, said
    assert "the same command goes on from there" in said and "Traceback" not in said
    done = steps(built.run_folder())
    assert f"going on after step {done} of" in built.cli("train").stdout


def test_a_run_begun_otherwise_is_refused_with_the_difference(built: Desk) -> None:
    built.configure(RECIPE + "epochs = 1\n")
    built.cli("train")
    line = built.refuses("train", "--lr", "0.1", "--rank", "4", "--recipe", "dora", code=2)
    assert "lr was 0.005, is 0.1; rank was 16, is 4; recipe was sft, is dora" in line
    assert "--restart" in line
    built.cli("train", "--lr", "0.01", "--restart")


def test_a_state_of_another_run_is_not_taken_for_this_one_s(built: Desk, popen: Popen) -> None:
    built.configure(SHORT + "epochs = 9\n")
    process = popen("-m", "kkoracle", "train", cwd=built.folder, **ONE_THREAD)
    until((built.run_folder() / "state.safetensors").exists, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    (built.run_folder() / "run.json").unlink()
    line = built.refuses("train", "--rank", "8")
    assert "of another model, dataset or settings" in line and "--restart" in line
