"""`kkoracle failed`: seen, tried again, dropped, with and without a daemon; counters stay true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from exchange import failures, requests, tasks
from exchange.house import House
from exchange.lock import FileLock
from exchange.records import Completion, Result
from exchange.review import Review
from exchange.spool import Spool
from tests.conftest import fill_spool, run_cli

Maker = Callable[..., House]


@pytest.fixture
def house(make_house: Maker) -> House:
    """Five tasks: two failed without a pair, one is poison, one is done, one is new."""
    found = make_house()
    spool = fill_spool(found, 5)
    batch = tasks.claim(spool, "paper", 4)
    said = [
        Completion(
            t.id, "Άσχετα \x1b[31mλόγια", "stop", 1, 2, 0.1, "m", "f", "e", "p", "s", 1, "now"
        )
        for t in batch
    ]
    tasks.finish(
        spool,
        [
            Result.of(said[0], "paper", (), "no-pair"),
            Result.of(said[1], "paper", (), "no-pair"),
            Result(batch[2].id, "paper", failed="poison"),
            Result.of(said[3], "paper", ()),
        ],
    )
    spool.close()
    return found


def counters(house: House) -> dict[str, int]:
    spool = Spool.read(house.archive_dir())
    found = {k: v for k, v in spool.counters().items() if k.startswith(("tasks.", "failed."))}
    spool.close()
    return found


def failed_ids(house: House, reason: str) -> list[str]:
    spool = Spool.read(house.archive_dir())
    found = failures.listed(spool, "paper", failures.Selection((), reason), 10)
    ids = [one.task.id for one in found]
    spool.close()
    return ids


def cli(house: House, *arguments: str) -> tuple[int, str]:
    said = run_cli("failed", *arguments, cwd=house.data.parent)
    return said.returncode, said.stdout + said.stderr


def test_the_list_says_how_many_and_why(house: House) -> None:
    code, said = cli(house, "list")
    assert code == 0 and "2 no-pair" in said and "1 poison" in said and "Φωνή" in said
    code, said = cli(house, "list", "--reason", "poison")
    assert failed_ids(house, "poison")[0] in said and failed_ids(house, "no-pair")[0] not in said


def test_one_task_is_shown_with_its_reply_and_no_escape_reaches_the_terminal(house: House) -> None:
    code, said = cli(house, "show", failed_ids(house, "no-pair")[0][:8])
    assert code == 0 and "Αριθμός" in said and "λόγια" in said and "\x1b" not in said
    assert "no reply is stored" in cli(house, "show", failed_ids(house, "poison")[0])[1]


def test_tasks_are_tried_again_by_reason_and_dropped_by_id(house: House) -> None:
    assert cli(house, "retry", "--reason", "no-pair")[1].startswith("2 tasks")
    assert counters(house) == {
        "tasks.done": 1,
        "tasks.failed": 1,
        "tasks.new": 3,
        "failed.poison": 1,
    }
    assert cli(house, "drop", failed_ids(house, "poison")[0])[0] == 0
    assert counters(house) == {"tasks.done": 1, "tasks.new": 3, "tasks.stale": 1}
    assert "no task has failed" in cli(house, "list")[1]


def test_a_running_daemon_is_asked_and_answers(house: House) -> None:
    directory = house.archive_dir()
    with FileLock(directory / "daemon.lock"):
        spool = Spool.open(directory)
        count = requests.hand_over(
            directory,
            failures.Selection((), "").to_json(),
            kind=failures.RETRY,
            waiting=lambda: requests.carry_out(spool, directory) and None,  # as the daemon does
        )
        spool.close()
    assert count == 3 and "tasks.failed" not in counters(house)


@pytest.mark.parametrize(
    ("arguments", "code", "what"),
    [
        (("retry",), 2, "--reason"),
        (("retry", "--all", "--reason", "poison"), 2, "--reason"),
        (("drop", "ffff0000"), 1, "no failed task begins"),
        (("drop", "%"), 1, "at least 4"),
    ],
)
def test_what_makes_no_sense_is_one_line(
    house: House, arguments: tuple[str, ...], code: int, what: str
) -> None:
    before = counters(house)
    found, said = cli(house, *arguments)
    assert found == code and what in said and "Traceback" not in said
    assert counters(house) == before


def test_a_request_that_nobody_understands_is_answered_and_stops_nobody(house: House) -> None:
    directory = house.archive_dir()
    review = Review.open(directory)
    serial = review.ask(failures.RETRY, "no json")
    spool = Spool.open(directory)
    assert requests.carry_out(spool, directory) == 1
    assert (review.outcome(serial) or "").startswith("failed: ")


def test_a_task_that_is_tried_again_is_done_by_the_next_worker(
    open_shop: Callable[..., object], tmp_path: Path
) -> None:
    with open_shop(2) as shop:
        shop.endpoint.status = [400, 400]
        shop.start_worker("--burst")
        assert shop.until_done()["failed.endpoint-400"] == 2
        with FileLock(shop.house.archive_dir() / "daemon.lock"):  # the shop's flow is the daemon
            assert cli(shop.house, "retry", "--all")[0] == 0
        shop.start_worker("--burst")
        assert shop.until_done()["tasks.done"] == 2
