"""The processes of one life: the long command, the endpoint, and who is killed when."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path

from bench import processes
from bench.live.client import ANSWER_S, AskingClient
from bench.live.newspaper import PrintedMorning
from bench.registry import Log
from exchange.errors import ProgramFailed
from kkoracle.live.record import MorningRecord, read_mornings
from kkoracle.live.schedule import SpoolState

SEED = 7  # of the kills
POLL_S = 0.5
NOTHING_S = 45.0  # an issue that is read, and begins no morning for so long, brought nothing
MORNING_S = 900.0  # a morning that takes longer hangs
KILL_AFTER_S = (2.0, 12.0)  # a process is killed at a random moment between the two


class QuietWatch:
    """How long nothing has come of an issue whose stories are all read and done."""

    def __init__(self, archive: Path, stories: int) -> None:
        self._archive, self._stories = archive, stories
        self._since: float | None = None

    def seconds(self) -> float:
        """0 while there is something to wait for."""
        if not self._archive.exists():
            return 0.0
        now = SpoolState.read(self._archive)
        if now.stories < self._stories or now.open:
            self._since = None
            return 0.0
        self._since = self._since or time.monotonic()
        return time.monotonic() - self._since


class RunningLife:
    """The processes of one life."""

    def __init__(self, folder: Path, log: Log, kills: int, mornings: int) -> None:
        self.folder, self.archive = folder, folder / "data" / "demo"
        self._log, self._kills = log, kills
        self._kills_a_morning = -(-kills // mornings)  # no morning takes all of them
        self._env = {**processes.command_environment(), **processes.ONE_THREAD}
        self._random = random.Random(SEED)
        self._live: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()
        self.client: AskingClient | None = None
        self.states: list[dict[str, str]] = []
        self.killed = 0
        self.outcomes: list[str] = []  # of each printed morning, with its reason
        self._mornings = 0  # that have ended
        self._printed = 0  # stories
        self._kill_at = time.monotonic() + KILL_AFTER_S[1]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The long command, until the block ends."""
        self._start()
        try:
            yield
        finally:
            self._held.close()
            for process in (self._live, self._server):
                if process and process.poll() is None:
                    process.terminate()
                    process.wait(120)

    def morning(self, number: int, printed: PrintedMorning) -> None:
        """Wait until the morning that this issue begins has ended, or is seen to bring nothing."""
        deadline = time.monotonic() + MORNING_S
        self._printed += len(printed.stories)
        still = QuietWatch(self.archive, self._printed)
        while time.monotonic() < deadline:
            found = read_mornings(self.archive) if self.archive.exists() else []
            nothing = len(found) == self._mornings and still.seconds() > NOTHING_S
            if nothing or (len(found) > self._mornings and found[-1].ended):
                told = "no new pairs" if nothing else f"{found[-1].outcome}: {found[-1].reason}"
                self._log(f"morning {number}{' (poisoned)' * printed.poisoned}: {told}")
                self._mornings = len(found)
                self.outcomes.append(told)
                self.states.append(self._state(found))
                if not self._kills and self._server is None and found[-1].promoted:
                    self._serve()
                return
            assert self._live is not None
            if self._live.poll() is not None:
                if not self._kills:
                    raise ProgramFailed(f"`kkoracle live` ended: see {self.folder / 'live.log'}")
                self._start()
            most = min(self._kills, self._kills_a_morning * number)
            if self.killed < most and time.monotonic() >= self._kill_at:
                self._kill()
            time.sleep(POLL_S)
        raise ProgramFailed(f"morning {number} did not end in {MORNING_S:.0f} s")

    def _start(self) -> None:
        with (self.folder / "live.log").open("ab") as log:
            self._live = subprocess.Popen(
                [sys.executable, "-P", "-m", "kkoracle", "live"],
                cwd=self.folder,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _kill(self) -> None:
        """Kill the long command itself, one of its children, or all of them."""
        assert self._live is not None
        notes = self.archive / "live" / "children.json"
        try:
            children = json.loads(notes.read_bytes())
        except (OSError, ValueError):
            children = {}
        victims = [self._live.pid, *children.values()]
        chosen = self._random.choice([victims[:1], *([pid] for pid in victims[1:]), victims])
        for pid in chosen:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            self._log(f"killed {pid}")
        self.killed += 1
        self._kill_at = time.monotonic() + self._random.uniform(*KILL_AFTER_S)

    def _serve(self) -> None:
        log = (self.folder / "serve.log").open("wb")
        with log:
            self._server = subprocess.Popen(
                [sys.executable, "-P", "-m", "kkoracle", "serve", "--follow", "--port", "0"],
                cwd=self.folder,
                env=self._env,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            for word in (self.folder / "serve.log").read_text("utf-8").split():
                if word.startswith("http://") and word.rstrip(";").endswith("/v1"):
                    self.client = AskingClient(word.rstrip(";"))
                    self._held.enter_context(self.client.asking())
                    return
            time.sleep(POLL_S)
        raise ProgramFailed("`kkoracle serve --follow` did not begin to answer")

    def _state(self, mornings: Sequence[MorningRecord]) -> dict[str, str]:
        """What was reached: a hash each of dataset, rows taught and adapter, and the outcomes."""
        answering = (self.archive / "runs" / "live").resolve()
        files = {
            "dataset": self.archive / "dataset" / "places.tsv",
            "taught": answering / "taught.txt",
            "adapter": answering / "adapters.safetensors",
        }
        found = {
            name: sha256(path.read_bytes()).hexdigest()[:12] if path.exists() else ""
            for name, path in files.items()
        }
        return {**found, "outcomes": " ".join(one.outcome for one in mornings)}
