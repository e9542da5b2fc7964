"""One morning from its begin to its end: build, train, judge, promote or keep, thin.

Each step is a command of its own, `python -m kkoracle ...`, that may be given again without harm:
a dataset of the same pairs has the same bytes, a run goes on where it was killed, a judgement takes
the answers that are there. The record says which step is next.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson

from crawler.settings import CrawlSettings
from exchange.display import MIB
from exchange.errors import OK, STOPPED, NotEnoughData, ProgramFailed, Stopped
from exchange.lock import GPU_LOCK, FileLock, wait_for_gpu
from exchange.project import Project
from kkoracle.children import ChildProcesses, front_options
from kkoracle.live import page
from kkoracle.live.record import LiveRecord, MorningRecord, run_name
from kkoracle.live.set_aside import LIVE_DIR, SetAside
from kkoracle.settings import LiveSettings
from trainer.dataset import read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.promote import versions
from trainer.promote.contradictions import contradicting_stories
from trainer.promote.settings import PromoteSettings
from trainer.training.row_selection import ContinuationRequest, choose_rows

POLL_S, TELL_S = 0.2, 30.0
MOST_DOUBLINGS = 4  # of the old rows that are shown, after mornings that lost something
KILLED_TRIES = 3  # times that a step killed by somebody else is begun again
_STEP = "morning"  # the child that takes a step


@dataclass(frozen=True, slots=True)
class MorningSteps:
    """What the steps of a morning need."""

    project: Project
    archive: str
    settings: LiveSettings
    record: LiveRecord
    children: ChildProcesses
    say: Callable[[str], None]
    watch: Callable[[], None] = lambda: None  # called while a step goes on

    @property
    def archive_dir(self) -> Path:
        return self.project.archive_dir(self.archive)

    @property
    def folder(self) -> Path:
        return self.archive_dir / LIVE_DIR

    @property
    def set_aside(self) -> SetAside:
        return SetAside(self.archive_dir)

    def begin(self, pairs: int, stories: int) -> MorningRecord:
        """Write that a morning begins.

        Args:
            pairs: accepted ones by now.
            stories: read by now.
        """
        last = self.record.last()
        number = last.number + 1 if last else 1
        answering = versions.promoted(self.archive_dir)
        self.record.add(
            number,
            "begun",
            pairs=pairs,
            stories=stories,
            against=answering.name if answering else "",
        )
        return self._now(number)

    def finish(self, morning: MorningRecord) -> MorningRecord:
        """Take every step that is left; returns the morning as it ended.

        Raises:
            Stopped: a step was stopped; the next call goes on with it.
            ProgramFailed: a step was killed again and again.
        """
        number = morning.number
        for step, take in (
            ("built", self._build),
            ("trained", self._train),
            ("judged", self._judge),
            ("ended", self._end),
        ):
            morning = self._now(number)
            if step not in morning.steps and not (step == "trained" and "judged" in morning.steps):
                take(morning)
        return self._now(number)

    def _now(self, number: int) -> MorningRecord:
        return next(one for one in self.record.mornings() if one.number == number)

    def _build(self, morning: MorningRecord) -> None:
        self.say(f"morning {morning.number}: building the dataset")
        code, found = self._command("dataset", "build", self.archive, "--new-cutoff", "--json")
        if code != OK:
            self._keep(morning, f"no dataset: {self.children.last_line(_STEP)}")
            self.record.add(morning.number, "built")
            return
        manifest = found["manifest"]
        rows = {name: about["rows"] for name, about in manifest["splits"].items()}
        limit = self.project.config.table("promote", PromoteSettings).contradictions
        against = contradicting_stories(self.archive_dir, limit)
        known = self.set_aside.ids()
        new = [one for one in against if not known.issuperset((one.story, *one.rows))]
        self.set_aside.add({name for one in new for name in (one.story, *one.rows)})
        self.record.add(
            morning.number,
            "built",
            version=manifest["version"],
            rows=rows,
            contradicting_stories=len(new),
            contradicting_pairs=sum(one.contradicting for one in new),
        )

    def _train(self, morning: MorningRecord) -> None:
        against = str(morning.about("begun").get("against", ""))
        replay = self.settings.replay * 2 ** self._lost_in_a_row(morning)
        asked = ContinuationRequest(against, replay, self.set_aside.ids())
        try:
            rows = read_split(self.archive_dir / DATASET, "train")
            chosen = choose_rows(self.archive_dir, rows, asked, morning.run)
        except NotEnoughData:
            self._keep(morning, f"nothing new to teach{morning.contradicted}")
            return
        self._wait_for_gpu("alone")
        self.say(
            f"morning {morning.number}: teaching {len(chosen.new):,} new rows and "
            f"{len(chosen.old):,} old ones again"
        )
        started = time.monotonic()
        without = ["--without", str(self.set_aside.path)] if asked.without else []
        before = ["--continue", against, "--replay", str(asked.replay)] if against else []
        code, found = self._command(
            *("train", self.archive, "--name", morning.run, *before, *without, "--yes", "--json"),
            gpu="alone",
        )
        if code != OK:
            self._keep(morning, f"training failed: {self.children.last_line(_STEP)}")
            return
        summary = found["summary"]
        self.record.add(
            morning.number,
            "trained",
            new=len(chosen.new),
            old=len(chosen.old),
            steps=summary["steps"],
            valid_before=summary["valid_before"],
            valid_after=summary["valid_after"],
            seconds=round(time.monotonic() - started, 1),
        )

    def _lost_in_a_row(self, morning: MorningRecord) -> int:
        """Mornings just before this one whose runs lost something: more of the old is shown."""
        count = 0
        for one in reversed(self.record.mornings()[: morning.number - 1]):
            if not one.about("judged").get("harmful"):
                break
            count += 1
        return min(count, MOST_DOUBLINGS)

    def _judge(self, morning: MorningRecord) -> None:
        self._wait_for_gpu("shared")
        self.say(f"morning {morning.number}: asking old and new facts")
        _, found = self._command(
            *("promote", self.archive, "--name", morning.run, "--json", "--yes"), gpu="shared"
        )
        if not found:
            self._keep(morning, f"it could not be judged: {self.children.last_line(_STEP)}")
            return
        self.record.add(morning.number, "judged", **found)

    def _keep(self, morning: MorningRecord, reason: str) -> None:
        """The run before goes on answering; the new rows are taught again next time."""
        self.record.add(
            morning.number, "judged", passed=False, harmful=False, reason=reason, checks=[]
        )

    def _end(self, morning: MorningRecord) -> None:
        if morning.about("judged").get("harmful"):
            self.set_aside.refuse(morning.run, morning.number)
        # This morning's own run may be looked at until the next one ends.
        runs = [run_name(number) for number in range(1, morning.number)]
        gone = versions.thin(
            self.archive_dir,
            runs,
            keep=self.settings.keep,
            disk_bytes=int(self.settings.disk_gb * 1e9),
        )
        answering = versions.promoted(self.archive_dir)
        self.record.add(
            morning.number, "ended", answering=answering.name if answering else "", removed=gone
        )
        page.write_page(self.archive_dir)

    def _wait_for_gpu(self, gpu: str) -> None:
        """Until whoever generates or chats on this machine has let go."""
        if gpu:
            shared = gpu == "shared"
            wait_for_gpu(self.project.data, self.say, shared=shared, meanwhile=self.watch)

    def _has_gpu(self, gpu: str) -> bool:
        lock = FileLock(self.project.data / GPU_LOCK)
        return not gpu or lock.is_free(shared=gpu == "shared")

    def _missing_mb(self) -> int:
        """Disk to be freed before a step may write: below that fetching waits, too."""
        least = self.project.config.table("crawl", CrawlSettings).min_free_mb
        return max(0, least - shutil.disk_usage(self.archive_dir).free // MIB)

    def _wait_for_room(self) -> None:
        told = False
        while missing := self._missing_mb():
            if not told:
                self.say(f"the disk is full: the morning waits until {missing:,} MB more are free")
                told = True
            self.watch()
            time.sleep(POLL_S)

    def _await_step(self, command: str) -> int:
        """The exit code of the step; what itself says of how far it is, is told now and then."""
        told_at, told = time.monotonic(), self.children.last_line(_STEP, ending=" left")
        while (code := self.children.exit_code(_STEP)) is None:
            self.watch()
            if time.monotonic() - told_at >= TELL_S:
                told_at, before = time.monotonic(), told
                told = self.children.last_line(_STEP, ending=" left")
                if told and told != before:
                    self.say(f"{command}: {told}")
            time.sleep(POLL_S)
        return code

    def _command(
        self, *words: str, gpu: Literal["", "alone", "shared"] = ""
    ) -> tuple[int, dict[str, Any]]:
        """Give a command and wait; its exit code and its JSON ({} where it printed none).

        Args:
            gpu: how it needs it; somebody who took it first is waited for.
        """
        result = self.folder / "result.json"
        kills = 0
        while kills < KILLED_TRIES:
            self._wait_for_room()
            self._wait_for_gpu(gpu)
            self.children.start(
                _STEP, "kkoracle", *front_options(self.project), *words, result=result
            )
            code = self._await_step(words[0])
            if code == STOPPED:
                raise Stopped("the morning was stopped: the same command goes on with it")
            if code >= 0:
                lines = result.read_bytes().strip().splitlines()
                found = orjson.loads(lines[-1]) if lines and lines[-1][:1] == b"{" else {}
                full, taken = self._missing_mb() > 0, not self._has_gpu(gpu)
                if code == OK or found or not (full or taken):
                    return code, found
                # Nothing is known of the new model yet, so nothing is decided about it.
                why = "on a full disk" if full else "as somebody else took the model"
                self.say(f"`kkoracle {words[0]}` ended {why}: once more")
            else:
                kills += 1
                self.say(f"`kkoracle {words[0]}` was killed by signal {-code}: once more")
        raise ProgramFailed(
            f"`kkoracle {' '.join(words[:2])}` was killed {KILLED_TRIES} times: is memory short? "
            f"The same command goes on; its messages are in {self.children.log(_STEP)}"
        )
