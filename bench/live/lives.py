"""A life of `kkoracle live`: mornings printed one after the other, clients that ask, and kills."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import processes
from bench.live.client import AskingClient
from bench.live.newspaper import DailySite, PrintedMorning
from bench.live.running import RunningLife
from bench.registry import Figures, Log
from kkoracle.demo.plan import MODEL
from kkoracle.live.record import MorningRecord, read_mornings

SEED = 7  # of the newspaper
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
        life = RunningLife(folder, log, kills, len(printed))
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


def compare(first: FinishedLife, second: FinishedLife) -> Figures:
    """Whether the life with kills came to where the other was after as many mornings."""
    mine, theirs = second.states[-1], first.states[len(second.states) - 1]
    same = {name: mine[name] == theirs[name] for name in mine}
    return {
        "kills": second.kills,
        "same_end_state": same["dataset"] and same["taught"] and same["outcomes"],
        "same_adapter": same["adapter"],
    }
