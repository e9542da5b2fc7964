"""What is known of the mornings: one file that is only ever added to, a step at a time.

A morning has begun, its dataset is built, its run trained, judged, and it has ended; each step is
written once, with what came of it, after it was done. So a kill between any two of them costs at
most the step that was under way, and each step may be taken again without harm.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from exchange.errors import NotFound
from exchange.store import db

FILE = "live.sqlite"  # in the archive's folder
VERSION = 1
SCHEMA = """
CREATE TABLE IF NOT EXISTS steps (
    morning INTEGER NOT NULL, step TEXT NOT NULL, at REAL NOT NULL, about TEXT NOT NULL,
    PRIMARY KEY (morning, step));
"""
Step = Literal["begun", "built", "trained", "judged", "ended", "rolled back"]


@dataclass(frozen=True, slots=True)
class MorningRecord:
    """One morning, as far as it has come."""

    number: int
    steps: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by name: what came of it
    times: Mapping[str, float] = field(default_factory=dict)  # by name: epoch seconds

    def about(self, step: Step) -> Mapping[str, Any]:
        """What came of a step; {} before it was done."""
        return self.steps.get(step, {})

    @property
    def run(self) -> str:
        """The name of its training run."""
        return run_name(self.number)

    @property
    def ended(self) -> bool:
        return "ended" in self.steps

    @property
    def promoted(self) -> bool:
        """Its run passed; it may have been rolled back since."""
        return bool(self.about("judged").get("passed"))

    @property
    def outcome(self) -> str:
        """promoted, kept (the run before), rolled back, or how far it is."""
        if "rolled back" in self.steps:
            return "rolled back"
        if "judged" in self.steps:
            return "promoted" if self.promoted else "kept"
        return next(reversed([*self.steps]), "begun")

    @property
    def so_far(self) -> str:
        """How far one is that has not ended, for people."""
        done = {
            "begun": "nothing of it is done yet",
            "built": "its dataset is built",
            "trained": "its model is taught",
            "judged": "it is judged",
        }
        return done.get(next(reversed([*self.steps]), ""), "it has ended")

    @property
    def reason(self) -> str:
        """Why, in one sentence; "" before it is judged."""
        return str(self.about("judged").get("reason", ""))

    @property
    def began(self) -> float:
        """Epoch seconds."""
        return self.times.get("begun", 0.0)

    @property
    def day(self) -> str:
        """The local day on which it began, ISO."""
        return dt.datetime.fromtimestamp(self.began).strftime("%Y-%m-%d")

    @property
    def check(self) -> dict[str, Mapping[str, Any]]:
        """The gate's figures by name."""
        return {one["name"]: one for one in self.about("judged").get("checks", ())}

    @property
    def contradicted(self) -> str:
        """What is to be said of stories that contradict earlier ones; "" where none do."""
        stories = int(self.about("built").get("contradicting_stories", 0))
        pairs = int(self.about("built").get("contradicting_pairs", 0))
        if not stories:
            return ""
        return (
            f": {stories:,} stories are set aside, {pairs:,} of their pairs contradict earlier ones"
        )

    def as_dict(self) -> dict[str, Any]:
        """For a program."""
        return {
            "morning": self.number,
            "day": self.day,
            "began": self.began,
            "outcome": self.outcome,
            "reason": self.reason,
            "run": self.run,
            **{step.replace(" ", "_"): dict(about) for step, about in self.steps.items()},
        }


def run_name(number: int) -> str:
    """The training run of a morning."""
    return f"live-{number:04}"


class LiveRecord:
    """The mornings of one archive. Only the holder of the archive's morning lock writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    @classmethod
    def open(cls, archive_dir: Path) -> Self:
        """For writing; the file is made where there is none."""
        return cls(db.connect(archive_dir / FILE, SCHEMA, version=VERSION))

    @classmethod
    def read(cls, archive_dir: Path) -> Self | None:
        """For reading alone; None where no morning ever began."""
        try:
            return cls(db.connect_readonly(archive_dir / FILE, VERSION))
        except NotFound:
            return None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def add(self, number: int, step: Step, **about: object) -> None:
        """Write that a step is done; one that is written already stays as it is."""
        with db.transaction(self._db):
            self._db.execute(
                "INSERT OR IGNORE INTO steps(morning, step, at, about) VALUES (?,?,?,?)",
                (number, step, time.time(), orjson.dumps(about).decode()),
            )

    def mornings(self) -> list[MorningRecord]:
        """All of them, the first one first."""
        steps: dict[int, dict[str, Any]] = {}
        times: dict[int, dict[str, float]] = {}
        # By the order of writing: a clock may have been set back in between.
        for number, step, at, about in self._db.execute(
            "SELECT morning, step, at, about FROM steps ORDER BY morning, rowid"
        ):
            steps.setdefault(number, {})[step] = orjson.loads(about)
            times.setdefault(number, {})[step] = at
        return [MorningRecord(number, steps[number], times[number]) for number in sorted(steps)]

    def last(self) -> MorningRecord | None:
        """The newest one."""
        found = self.mornings()
        return found[-1] if found else None


def read_mornings(archive_dir: Path) -> list[MorningRecord]:
    """All mornings of an archive, the first one first; for whoever only looks."""
    record = LiveRecord.read(archive_dir)
    if record is None:
        return []
    try:
        return record.mornings()
    finally:
        record.close()
