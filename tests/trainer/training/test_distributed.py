"""Two real processes on loopback train as one does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.conftest import cli_environment
from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk, with_inventions
from tests.trainer.reading import lines, until

# Seven rows to a batch, so that the shares are of different sizes; two batches to a step.
SETTINGS = RECIPE.replace("batch = 8", "batch = 7") + "epochs = 2\naccumulate = 2\n"
LAUNCH = Path(sys.executable).parent / "mlx.launch"


def free_port() -> int:
    """Two neighbouring ports that are free now."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            try:
                other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port


def together(desk: Desk, *program: str) -> str:
    """Run a Python program in two processes; returns what they print."""
    # Its standard input must stay open: mlx.launch reads it again and again.
    reading, writing = os.pipe()
    try:
        done = subprocess.run(
            [
                LAUNCH,
                "--backend",
                "ring",
                "-n",
                "2",
                "-p",
                str(free_port()),
                "--",
                sys.executable,
                *program,
            ],
            cwd=desk.folder,
            env=cli_environment(**ONE_THREAD),
            stdin=reading,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=180,
        )
    finally:
        os.close(reading)
        os.close(writing)
    return done.stdout


def weights(folder: Path) -> dict[str, object]:
    from safetensors.numpy import load_file

    loaded: dict[str, object] = load_file(folder / "adapters.safetensors")
    return loaded


def difference(one: Path, other: Path) -> float:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    return max(float(abs(ours[name] - theirs[name]).max()) for name in ours)  # type: ignore[operator]


def test_two_processes_learn_what_one_does_and_the_leader_alone_writes(built: Desk) -> None:
    built.configure(SETTINGS)
    built.cli("train", "--name", "one")
    said = together(built, "-m", "kkoracle", "train", "--name", "two")
    one, two = built.run_folder("one"), built.run_folder("two")
    assert difference(one, two) < 1e-5, said
    assert difference(one / "best", two / "best") < 1e-5
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (one, two))
    for name in ("steps", "tokens", "targets", "best_step"):
        assert ours[name] == theirs[name]
    assert abs(ours["valid_after"] - theirs["valid_after"]) < 1e-4
    assert said.count("step 0: validation loss") == 1 and said.count("adapter in") == 1
    assert sorted(path.name for path in (built.archive / "runs").iterdir()) == ["one", "two"]
    samples = [(folder / "samples.jsonl").read_bytes() for folder in (one, two)]
    assert samples[0].count(b"\n") == samples[1].count(b"\n")


def test_two_processes_agree_on_what_is_known(built: Desk) -> None:
    few = RECIPE.replace("batch = 8", "batch = 3")
    built.configure(few + "epochs = 14\nuntil_learned = true\n")
    built.cli("train", "--name", "one")
    said = together(built, "-m", "kkoracle", "train", "--name", "two")
    one, two = (lines(built.run_folder(name) / "metrics.jsonl") for name in ("one", "two"))
    known = [[entry for entry in entries if "known" in entry] for entries in (one, two)]
    assert known[0] == known[1], said
    assert any(entry["known"] for entry in known[0])
    assert difference(built.run_folder("one"), built.run_folder("two")) < 1e-4


def test_two_processes_share_pairs_whole(built: Desk) -> None:
    built.configure(SETTINGS)
    words = with_inventions(built)
    built.cli("train", "--name", "one", *words)
    said = together(built, "-m", "kkoracle", "train", "--name", "two", *words)
    one, two = (lines(built.run_folder(name) / "metrics.jsonl") for name in ("one", "two"))
    preferred = [[entry.get("preferred") for entry in entries] for entries in (one, two)]
    assert preferred[0] == preferred[1] and set(preferred[0]) != {None}, said
    assert difference(built.run_folder("one"), built.run_folder("two")) < 1e-5


def test_a_run_of_one_process_goes_on_with_two(built: Desk) -> None:
    built.configure(SETTINGS + "save_every = 2\n")
    built.cli("train", "--name", "one")
    process = subprocess.Popen(
        [sys.executable, "-m", "kkoracle", "train", "--name", "two"],
        cwd=built.folder,
        env=cli_environment(**ONE_THREAD),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until((built.run_folder("two") / "state.safetensors").exists, process)
    process.kill()
    process.wait()
    said = together(built, "-m", "kkoracle", "train", "--name", "two")
    assert difference(built.run_folder("one"), built.run_folder("two")) < 1e-5, said


def test_processes_that_disagree_all_stop_and_say_so(built: Desk) -> None:
    built.configure(SETTINGS)
    # The second process is told another rate, as a forgotten config file on a second Mac would.
    script = built.folder / "differing.py"
    script.write_text(
        "import os, sys\n"
        "if os.environ['MLX_RANK'] == '1': os.environ['KKORACLE_TRAIN_LR'] = '0.5'\n"
        "sys.argv = ['kkoracle', 'train']\n"
        "from kkoracle.cli.app import main\n"
        "main()\n"
    )
    said = together(built, str(script))
    assert "do not have the same model, dataset and settings" in said
    assert not built.run_folder().exists()


def test_the_leader_asks_the_teacher_and_the_others_learn_from_it_too(built: Desk) -> None:
    built.configure(SETTINGS + 'recipe = "distil"\n')
    said = together(built, "-m", "kkoracle", "train", "--name", "two")
    kept = sorted(path.name for path in built.archive.glob("teacher/*/*"))
    built.cli("train", "--name", "one")  # the same teacher's words
    assert kept == sorted(path.name for path in built.archive.glob("teacher/*/*")) and kept
    assert difference(built.run_folder("one"), built.run_folder("two")) < 1e-5, said
