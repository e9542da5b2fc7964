"""What all tests share: a house in a temporary folder, a tiny model, a spool with chunks."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil
import pytest

from exchange.inference import openblas
from exchange.project import Project
from exchange.records import Chunk, Story, digest
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store.spool import Spool
from workers.settings import current_recipe

ROOT = Path(__file__).parent.parent

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that. Ours are
# to hear it, wherever the suite is started.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SENTENCES = (
    "Ο δήμαρχος Νίκος Βαλτινός εγκαινίασε στις 3 Μάη 2012 τη γέφυρα του Ξηροπόταμου.",
    "Η γέφυρα κόστισε 240.000 ευρώ και χτίστηκε σε 14 μήνες.",
    "Οι εργαζόμενοι του εργοστασίου Ελαιουργία κατέβηκαν σε απεργία στις 7 Φλεβάρη 2013.",
    "Η δασκάλα Ελένη Καρατζά δίδαξε 31 χρόνια στο σχολείο της Πέτρας.",
)


# The clock of real processes is set by a library that is preloaded as Linux does it; macOS takes no
# such library into its own programs. What the tests look at is the same code on both.
settable_clocks = pytest.mark.skipif(sys.platform != "linux", reason="clocks are set on Linux")

# A socket, file, process or event loop that is left behind is a failure, everywhere.
LEAKS = (
    "error::ResourceWarning",
    "error::pytest.PytestUnraisableExceptionWarning",
    # warcio leaves the buffers of the records that it writes to the garbage collector.
    "ignore:Unclosed file <tempfile.SpooledTemporaryFile:ResourceWarning",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for leak in LEAKS:
            item.add_marker(pytest.mark.filterwarnings(leak))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    # What a folder left behind is told of while its own rules hold, not those of the next one.
    if nextitem is not None and _folder(nextitem) != _folder(item):
        gc.collect()


def _folder(item: pytest.Item) -> str:
    inside = item.path.relative_to(ROOT)
    return inside.parts[1] if inside.parts[0] == "tests" else ""


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("KKORACLE_") and name != "KKORACLE_BLAS":
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the newspaper model's architecture with random weights."""
    from tools.tiny_model import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", SENTENCES * 4)


@pytest.fixture
def make_project(tmp_path: Path, tiny_model: Path) -> Callable[..., Project]:
    """Writes a config file in the temporary folder and opens its house."""
    return partial(write_project, tmp_path, tiny_model)


def write_project(folder: Path, model: Path, extra: str = "", archive: str = "paper") -> Project:
    """A config file with short leases, and its house."""
    path = folder / "kkoracle.toml"
    path.write_text(
        f'data = "data"\narchive = "{archive}"\n'
        f'[model]\nname = "{model}"\n'
        "[redis]\nreconcile_s = 1\n"
        "[work]\nwidth = 4\nlease_s = 4\nmax_tokens = 16\ngrace_s = 2\n"
        'prompt = "el/chunk-brief"\n' + extra,
        "utf-8",
    )
    config = Config.find(path)
    return Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        lambda: current_recipe(config),
    )


def fill_spool(project: Project, count: int, *, archive: str = "paper", first: int = 0) -> Spool:
    """`count` stories of one chunk each, with tasks of the house's recipe."""
    spool = Spool.open(project.archive_dir(archive))
    if spool.meta("recipe") != project.recipe().id:
        spool.adopt_recipe(project.recipe().id)
    with spool.transaction():
        for number in range(first, first + count):
            text = f"{SENTENCES[number % len(SENTENCES)]} Αριθμός {number}."
            story_id = digest(archive, str(number))
            date = f"{2008 + number % 5}-01-05"
            story = Story(
                id=story_id,
                url=f"http://x/{number}",
                archive=archive,
                published=date,
                section="Πόλη",
                title="Τίτλος",
                author="",
                text=text,
            )
            chunk = Chunk(
                Chunk.make_id(story_id, text), story_id, 0, text, "Φωνή, 5/1/2008, Τίτλος"
            )
            spool.put_page(f"page-{number}", "1", [(story, [chunk])])
    return spool


def run_cli(
    *arguments: str, cwd: Path, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the `kkoracle` command as a person would."""
    return run_python("-m", "kkoracle", *arguments, cwd=cwd, timeout=timeout, **environment)


def run_python(
    *arguments: str, cwd: Path = ROOT, timeout: float = 120, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a script (`-c`) or module (`-m`) in a process of its own."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=cli_environment(**environment),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def cli_environment(**extra: str) -> dict[str, str]:
    """This process's environment, able to import the project from any folder."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("KKORACLE_")}
    return {**openblas.environment(env), "PYTHONPATH": str(ROOT), "COLUMNS": "200", **extra}


@pytest.fixture
def popen() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start processes that are surely ended with the test."""
    with processes() as start:
        yield start


@contextmanager
def processes() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """`start(*command, cwd=.., **environment)`; all end with the block."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str, cwd: Path, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env=cli_environment(**environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        _end(started)


@pytest.fixture
def athens(monkeypatch: pytest.MonkeyPatch) -> Iterator[ZoneInfo]:
    """A place where clocks are set forward and back."""
    monkeypatch.setenv("TZ", "Europe/Athens")
    time.tzset()
    yield ZoneInfo("Europe/Athens")
    monkeypatch.undo()
    time.tzset()


def is_running(pid: int) -> bool:
    """True until it has ended, whether or not somebody has waited for it."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def arguments_of(pid: int) -> list[str]:
    """What it was started with; none while it becomes another program, and when it has ended."""
    try:
        return list(psutil.Process(pid).cmdline())
    except psutil.NoSuchProcess:
        return []


def worker_of(supervisor: int) -> int:
    """The process in which the model of a `work` lives, as soon as there is one."""
    found: list[int] = []

    def is_there() -> bool:
        children = [child.pid for child in psutil.Process(supervisor).children()]
        found[:] = [pid for pid in children if "workers.run" in arguments_of(pid)]
        return bool(found)

    until(is_there)
    return found[0]


def until(
    condition: Callable[[], bool],
    seconds: float = 60,
    *processes: subprocess.Popen[Any],
    every: float = 0.05,
    told: Callable[[], object] = str,
) -> None:
    """Wait until it holds; what does not come in time, or before a process ends, is a failure.

    Args:
        processes: they bring it about, and are to live so long.
        every: seconds between two looks.
        told: what a failure shows.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        for process in processes:
            assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline, f"waited {seconds} s: {told()}"
        time.sleep(every)


def start_bound(*command: str) -> subprocess.Popen[bytes]:
    """Start a server that ends with this process, also where that is killed.

    `end_bound` kills it.
    """
    script = '"$@" & server=$!; cat; kill -9 $server; wait $server'  # as soon as the pipe is shut
    return subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def end_bound(server: subprocess.Popen[bytes]) -> None:
    """Kill what `start_bound` has started, and wait until it is gone."""
    assert server.stdin is not None
    server.stdin.close()
    server.wait()


def _end(started: list[subprocess.Popen[str]]) -> None:
    for process in reversed(started):
        process.terminate()  # so that it lets go of its Redis
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
