"""A morning ends the same wherever it was killed, and a morning begins when it is time."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from exchange.errors import Busy, NotFound
from exchange.lock import LIVE_LOCK, MORNING_LOCK, FileLock
from kkoracle.api import OracleProject
from kkoracle.children import ChildProcesses
from kkoracle.live import page
from kkoracle.live.morning import MorningSteps
from kkoracle.live.record import LiveRecord, MorningRecord, read_mornings
from kkoracle.live.run import roll_back
from kkoracle.live.schedule import why_now
from kkoracle.live.set_aside import LIVE_DIR, SET_ASIDE
from kkoracle.settings import LiveSettings
from tests.conftest import cli_environment, run_cli
from tests.own_disk import on_own_disk
from tests.trainer.conftest import ONE_THREAD, RECIPE, Desk, make_learner
from tests.trainer.filling import fill
from trainer.promote import versions
from trainer.training.row_selection import NEW, read_ids

CONFIG = (
    RECIPE.replace("samples = 2", "samples = 0")
    + "epochs = 24\npatience = 0\n"
    + "[promote]\nquestions = 40\nallowed = 0.3\n[evaluate]\nmax_tokens = 16\n"
)
NOON = dt.datetime(2026, 5, 4, 12, 0)


class Killed(BaseException):
    """In place of a SIGKILL: nothing after it happens."""


class DyingRecord(LiveRecord):
    """Dies when a step is to be written, after its work was done."""

    dies_at = ""

    def add(self, number: int, step: Any, **about: object) -> None:
        if step == self.dies_at:
            raise Killed
        super().add(number, step, **about)


@contextmanager
def steps(desk: Desk, dies_at: str = "") -> Iterator[MorningSteps]:
    project = OracleProject.open(desk.folder / "kkoracle.toml")
    desk.archive.mkdir(parents=True, exist_ok=True)
    record = DyingRecord.open(desk.archive)
    record.dies_at = dies_at
    with ChildProcesses(desk.archive / LIVE_DIR, desk.folder) as children:
        yield MorningSteps(project, "paper", LiveSettings(), record, children, lambda text: None)
    record.close()


@pytest.fixture
def desk(tmp_path: Path, tiny_model: Path) -> Desk:
    made = Desk(tmp_path, tiny_model)
    made.configure(CONFIG)
    return made


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """An archive with two mornings: the first undisturbed, the second killed at every step."""
    folder = tmp_path_factory.mktemp("paper")
    desk = Desk(folder, make_learner(folder))
    desk.configure(CONFIG)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in ONE_THREAD.items():
            patched.setenv(name, value)
        fill(desk.archive, 30)
        with steps(desk) as first:
            first.finish(first.begin(90, 30))
        fill(desk.archive, 12, first=30, published=lambda number: "2001-02-04")
        with steps(desk) as second:
            second.begin(126, 42)
        for step in ("built", "trained", "judged", "ended"):
            with pytest.raises(Killed), steps(desk, dies_at=step) as dying:
                dying.finish(read_mornings(desk.archive)[-1])
        with steps(desk) as again:
            again.finish(read_mornings(desk.archive)[-1])
    return desk


def test_both_mornings_are_promoted_and_say_what_they_brought(paper: Desk) -> None:
    first, second = read_mornings(paper.archive)
    assert (first.outcome, second.outcome) == ("promoted", "promoted"), second.reason
    assert second.about("begun")["against"] == "live-0001"
    assert second.about("trained")["new"] == len(read_ids(paper.run_folder("live-0002") / NEW))
    assert second.check["learned"]["low"] > 0
    assert versions.promoted(paper.archive) == paper.run_folder("live-0002").resolve()


def test_a_morning_killed_at_every_step_takes_each_of_them_once(paper: Desk) -> None:
    second = read_mornings(paper.archive)[1]
    assert list(second.steps) == ["begun", "built", "trained", "judged", "ended"]
    assert second.about("built")["version"] == 2
    assert not (paper.run_folder("live-0002") / "state.safetensors").exists()


def test_the_page_tells_each_morning_and_its_intervals(paper: Desk) -> None:
    text = (paper.archive / page.FILE).read_text("utf-8")
    for one in read_mornings(paper.archive):
        assert one.reason.split(" (")[0] in text
    assert text.count("<tr>") == 3
    said = run_cli("live", "--status", "--json", cwd=paper.folder)
    assert '"outcome":"promoted"' in said.stdout


def test_a_morning_with_nothing_new_keeps_the_run_before(paper: Desk) -> None:
    with steps(paper) as third:
        ended = third.finish(third.begin(126, 42))
    assert ended.outcome == "kept"
    assert "nothing new to teach" in ended.reason
    assert versions.promoted(paper.archive) == paper.run_folder("live-0002").resolve()


def test_rolling_back_sets_aside_what_that_morning_taught(paper: Desk) -> None:
    project = OracleProject.open(paper.folder / "kkoracle.toml")
    taught = read_ids(paper.run_folder("live-0002") / NEW)
    with FileLock(paper.archive / MORNING_LOCK), pytest.raises(Busy):
        roll_back(project, "paper")
    with FileLock(paper.archive / LIVE_LOCK):  # `kkoracle live` runs, and no morning is under way
        assert roll_back(project, "paper") == ("live-0002", "live-0001")
    assert read_ids(paper.archive / LIVE_DIR / SET_ASIDE) == taught
    assert read_mornings(paper.archive)[1].outcome == "rolled back"
    assert "live-0001 answers" in (paper.archive / "live.html").read_text("utf-8")
    with pytest.raises(NotFound):
        roll_back(project, "paper")


@pytest.mark.parametrize(
    ("settings", "new", "open_", "still", "begins"),
    [
        ({}, 500, 0, 60, True),
        ({}, 499, 0, 600, False),
        ({}, 500, 3, 600, False),  # more comes
        ({}, 500, 0, 59, False),
        ({}, 50_000, 900, 0, True),  # an archive that goes on for months
        ({"pairs": 0, "at": "11:30"}, 1, 5, 0, True),
        ({"at": "11:30"}, 0, 0, 600, False),
        ({"quiet": "08:00-20:00"}, 900, 0, 600, False),
    ],
)
def test_when_a_morning_begins(
    settings: dict[str, Any], new: int, open_: int, still: float, begins: bool
) -> None:
    yesterday = (NOON - dt.timedelta(days=1)).timestamp()
    why = why_now(LiveSettings(**settings), new, open_, still, yesterday, NOON)
    assert bool(why) == begins


def test_a_disk_that_fills_in_the_middle_of_a_step_is_waited_for(
    tmp_path: Path, tiny_model: Path
) -> None:
    disk = on_own_disk(tmp_path, "size=24m")
    # Where nobody may mount a small disk, none is filled, and the steps are taken at once.
    words = ("-m", "tests.kkoracle.live.full_disk", str(tmp_path), str(tiny_model))
    done = subprocess.run(
        [*(disk or ()), sys.executable, *words, *(("fill",) if disk else ())],
        env=cli_environment(**ONE_THREAD),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout.splitlines()[-1])
    again = "`kkoracle dataset` ended on a full disk: once more" in told["said"]
    waited = any("waits until" in line for line in told["said"])
    assert (again, waited) == (bool(disk), bool(disk)), told["said"]
    assert told["steps"] == ["begun", "built", "trained", "judged", "ended"]
    assert told["version"] == 1


@pytest.mark.parametrize(
    ("at", "quiet", "idle", "now", "begins"),
    [
        ("11:30", "", "05-04 11:40", "05-04 12:00", False),  # it had its morning
        ("12:30", "", "05-04 11:40", "05-04 12:00", False),
        ("12:30", "", "05-04 11:40", "05-04 12:30", True),
        ("05:00", "", "05-04 06:10", "05-04 09:00", False),  # what comes after the hour waits
        ("23:30", "", "05-03 22:00", "05-04 07:10", True),  # it slept over the hour
        ("21:00", "20:00-08:00", "05-03 19:00", "05-04 07:59", False),
        ("21:00", "20:00-08:00", "05-03 19:00", "05-04 08:00", True),
        ("03:30", "", "03-28 04:00", "03-29 02:59", False),  # there is no half past three
        ("03:30", "", "03-28 04:00", "03-29 04:00", True),
        ("03:30", "", "10-24 04:00", "10-25 03:30", True),
        ("03:30", "", "10-25 03:30", "10-25 03:40+1", False),  # half past three for a second time
        ("11:30", "", "12-24 11:30", "05-04 12:00", True),  # noted by a wrong clock
    ],
)
def test_an_hour_begins_one_morning_a_day(
    athens: ZoneInfo, at: str, quiet: str, idle: str, now: str, begins: bool
) -> None:
    def moment(told: str) -> dt.datetime:
        clock, _, fold = told.partition("+")
        found = dt.datetime.strptime(f"2026-{clock}", "%Y-%m-%d %H:%M")
        return found.replace(tzinfo=athens, fold=int(fold or 0))

    settings = LiveSettings(pairs=0, at=at, quiet=quiet)
    here = dt.datetime.fromtimestamp(moment(now).timestamp()).astimezone()
    assert bool(why_now(settings, 5, 0, 0, moment(idle).timestamp(), here)) == begins


def test_a_step_is_written_once(tmp_path: Path) -> None:
    record = LiveRecord.open(tmp_path)
    record.add(1, "begun", pairs=3)
    record.add(1, "begun", pairs=9)
    assert [one.about("begun") for one in record.mornings()] == [{"pairs": 3}]
    record.close()
    assert isinstance(read_mornings(tmp_path)[0], MorningRecord)


def test_rows_of_a_run_that_did_harm_get_a_second_try_and_no_third(desk: Desk) -> None:
    taught = {1: "a b", 2: "b c", 3: "c d"}
    aside = desk.archive / LIVE_DIR / SET_ASIDE
    left = []
    for number, rows in taught.items():
        folder = desk.run_folder(f"live-{number:04}")
        folder.mkdir(parents=True)
        (folder / NEW).write_text("\n".join(rows.split()))
        for dies_at in ("ended", ""):  # killed after the work of its last step, and once more
            with steps(desk, dies_at) as some:
                for step in ("begun", "built", "trained"):
                    some.record.add(number, step)
                some.record.add(number, "judged", passed=False, harmful=True, reason="lost")
                found = some.record.mornings()[number - 1]
                if dies_at:
                    with pytest.raises(Killed):
                        some.finish(found)
                else:
                    some.finish(found)
        left.append(read_ids(aside))
    assert left == [set(), {"b"}, {"b", "c"}]
