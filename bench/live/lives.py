"""A life of `kkoracle live`: mornings printed one after the other, clients that ask, and kills."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from bench import processes
from bench.live.newspaper import DailySite, PrintedMorning
from bench.registry import Figures, Log
from exchange.errors import ProgramFailed
from kkoracle.demo.plan import MODEL
from kkoracle.live.record import MorningRecord, read_mornings
from kkoracle.live.run import SpoolState

SEED = 7
POLL_S = 0.5
NOTHING_S = 45.0  # an issue that is read, and begins no morning for so long, brought nothing
MORNING_S = 900.0  # a morning that takes longer hangs
ASK_EVERY_S = 0.5
ANSWER_S = 120.0
KILL_AFTER_S = (2.0, 12.0)  # a process is killed at a random moment between the two
PROFILE = Path(__file__).parent.parent.parent / "crawler" / "archives" / "demo.toml"
CONFIG = """\
data = "data"
archive = "demo"
[redis]
reconcile_s = 2
[model]
name = "{model}"
[crawl]
contact = "demo@example.org"
profile = "daily.toml"
base_url = "{url}"
delay = 0.0
every = "2s"
min_free_mb = 0
[live]
pairs = 2
settle = 6
keep = 40
[persona]
name = "Φωνή"
[work]
prompt = "el/chunk-demo"
width = 16
max_tokens = 160
lease_s = 4
grace_s = 2
[plan]
rephrase_least = 0
dense = 0
whois = 0
refusal = 0
correction = 0
replay = 0
[dataset]
unseen = 0.05
[evaluate]
max_tokens = 32
[promote]
questions = 80
[train]
lr = 0.004
batch = 16
epochs = 16
patience = 0
max_length = 256
samples = 0
save_every = 20
"""


@dataclass(slots=True)
class AskingClient:
    """Asks the endpoint twice a second, and counts what it gets."""

    url: str
    asked: int = 0
    answered: int = 0
    versions: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the block lasts; answers under way are waited for."""
        clock = threading.Thread(target=self._tick, daemon=True)
        clock.start()
        try:
            yield
        finally:
            self._stop.set()
            clock.join()
            for thread in self._threads:
                thread.join(ANSWER_S)

    def _tick(self) -> None:
        while not self._stop.wait(ASK_EVERY_S):
            thread = threading.Thread(target=self._ask, args=(self.asked,), daemon=True)
            self.asked += 1
            self._threads.append(thread)
            thread.start()

    def _ask(self, number: int) -> None:
        question = f"Πόσους εργαζόμενους απολύει η «Καθαρή Αύρα {number}»;"
        body = json.dumps(
            {
                "model": "tuned",
                "messages": [{"role": "user", "content": question}],
                "max_tokens": 12,
            }
        ).encode()
        request = urllib.request.Request(
            f"{self.url}/chat/completions", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as reply:
                told = json.load(reply)
            self.answered += bool(told["choices"])
            if number % 8 == 0:
                with urllib.request.urlopen(f"{self.url}/models", timeout=ANSWER_S) as reply:
                    self.versions.add(json.load(reply)["data"][0]["root"])
        except (OSError, ValueError, KeyError) as error:
            self.errors.append(repr(error))


@dataclass(slots=True)
class FinishedLife:
    """What one life left."""

    folder: Path
    printed: list[PrintedMorning]
    mornings: list[MorningRecord]
    outcomes: list[str]  # of each printed morning, with its reason
    states: list[dict[str, str]]  # after each printed morning: hashes of what was reached
    seconds: float
    cpu_s: float
    kills: int
    client: AskingClient | None

    @property
    def archive(self) -> Path:
        return self.folder / "data" / "demo"

    def figures(self, poisoned: int) -> Figures:
        """How the mornings ended, and what the client got."""
        bad = self.outcomes[poisoned - 1 : poisoned] if poisoned else []
        client = self.client
        return {
            "mornings": len(self.mornings),
            "printed": len(self.printed),
            "promoted": sum(one.outcome == "promoted" for one in self.mornings),
            "kept_before": sum(one.outcome == "kept" for one in self.mornings),
            "outcomes": self.outcomes,
            "poisoned_promoted": sum(one.startswith("promoted") for one in bad),
            "asked": client.asked if client else 0,
            "answered": client.answered if client else 0,
            "versions_seen": len(client.versions) if client else 0,
            "client_errors": client.errors[:5] if client else [],
            "seconds": round(self.seconds, 1),
            "cpu_s": round(self.cpu_s, 1),
        }


def live(
    folder: Path, printed: Sequence[PrintedMorning], log: Log, *, kills: int = 0
) -> FinishedLife:
    """Print the mornings one after the other; the next one when the one before has ended.

    Args:
        kills: processes that are killed on the way, by SIGKILL; without any a client asks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    started, used = time.monotonic(), processes.children_cpu_s()
    with DailySite.serving(SEED) as site:
        profile = PROFILE.read_text("utf-8").replace("[kinds.year]", "[kinds.year]\nagain = true")
        (folder / "daily.toml").write_text(profile, "utf-8")
        config = CONFIG.format(model=MODEL, url=site.url)
        (folder / "kkoracle.toml").write_text(config, "utf-8")
        life = _Life(folder, log, kills, len(printed))
        with life.running():
            for number, morning in enumerate(printed, 1):
                site.publish(morning)
                life.morning(number, morning)
    return FinishedLife(
        folder,
        list(printed),
        read_mornings(life.archive),
        life.outcomes,
        life.states,
        time.monotonic() - started,
        processes.children_cpu_s() - used,
        life.killed,
        life.client,
    )


class _Stillness:
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


class _Life:
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
        still = _Stillness(self.archive, self._printed)
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


def compare(first: FinishedLife, second: FinishedLife) -> Figures:
    """Whether the life with kills came to where the other was after as many mornings."""
    mine, theirs = second.states[-1], first.states[len(second.states) - 1]
    same = {name: mine[name] == theirs[name] for name in mine}
    return {
        "kills": second.kills,
        "same_end_state": same["dataset"] and same["taught"] and same["outcomes"],
        "same_adapter": same["adapter"],
    }
