"""Counters over time: one row a minute, thinned with age, in the writers' own transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from exchange.project import Project
from exchange.records import Result
from exchange.store import history, tasks
from exchange.store.history import CounterSample, last_change
from exchange.store.spool import Spool
from tests.conftest import fill_spool

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
START = 1_700_000_000.0


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool.open(tmp_path)
    yield opened
    opened.close()


def work(spool: Spool, at: float, done: int) -> None:
    with spool.transaction() as db:
        db.execute("INSERT OR REPLACE INTO counters VALUES ('tasks.done', ?)", (done,))
        history.record_counters(db, at)


def test_a_minute_is_one_row_that_tells_its_last_moment(spool: Spool) -> None:
    for second in (1, 20, 45):
        work(spool, START - START % 60 + second, second)
    (sample,) = history.read_samples(spool.db)
    assert sample.at % 60 == 45 and sample.count("tasks.done") == 45


def test_forty_days_are_kept_in_few_rows_and_the_last_day_by_the_minute(spool: Spool) -> None:
    for minute in range(0, 40 * 24 * 60, 7):
        work(spool, START + minute * MINUTE, minute + 1)
    samples = history.read_samples(spool.db)
    ages = [samples[-1].at - sample.at for sample in samples]
    assert sum(age < DAY for age in ages) >= 24 * 60 // 7
    assert 570 <= sum(DAY < age < 7 * DAY for age in ages) <= 6 * 24 * 4 + 2
    assert sum(age > 7 * DAY for age in ages) <= 33 * 24 + 2
    assert samples[0].at < START + HOUR
    counts = [sample.count("tasks.done") for sample in samples]
    assert counts == sorted(counts) and counts[-1] == samples[-1].counters["tasks.done"]


def test_a_span_begins_with_the_sample_before_it(spool: Spool) -> None:
    for hour in range(5):
        work(spool, START + hour * HOUR, hour + 1)
    assert [s.count("tasks.done") for s in history.read_samples(spool.db, START + 2.5 * HOUR)] == [
        3,
        4,
        5,
    ]


def test_a_rolled_back_transaction_leaves_no_sample(spool: Spool) -> None:
    with pytest.raises(RuntimeError), spool.transaction() as db:
        history.record_counters(db, START)
        raise RuntimeError
    assert history.read_samples(spool.db) == []


def test_a_file_of_an_earlier_version_has_no_history(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "old.sqlite")
    assert history.read_samples(db) == []
    db.close()


def test_results_are_sampled_as_they_are_stored(make_project) -> None:
    project: Project = make_project()
    spool = fill_spool(project, 3)
    claimed = tasks.claim(spool, "paper", 3)
    tasks.finish(spool, [Result(task.id, "paper", failed="no-pair") for task in claimed])
    assert history.read_samples(spool.db)[-1].counters == spool.counters()
    spool.close()


def test_when_something_was_last_done_is_when_a_count_last_grew() -> None:
    samples = [
        CounterSample(1, {"a": 1}),
        CounterSample(2, {"a": 2, "b": 1}),
        CounterSample(3, {"a": 2, "b": 4}),
    ]
    assert last_change(samples, "a") == 2
    assert last_change(samples, "b") == last_change(samples, "a", "b") == 3
    assert last_change(samples, "c") is last_change([], "a") is None
    assert last_change(samples[:1], "a") == 1
