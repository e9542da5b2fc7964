from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from crawler.frontier import pages
from crawler.frontier.frontier import Frontier
from crawler.frontier.raw_store import SAMPLES, RawStore
from crawler.records import FetchOutcome, Link


def page(number: int) -> bytes:
    """Much furniture, which all pages share, and a little text of its own."""
    words = random.Random(number).choices(["απεργία", "λιμάνι", "νερό", "σχολείο"], k=40)
    menu = "".join(f"<li class='menu item-{n}'><a href='/{n}'>Θέμα {n}</a></li>" for n in range(30))
    return f"<html><ul>{menu}</ul><p>{number}: {' '.join(words)}</p></html>".encode()


def fill(frontier: Frontier, first: int, count: int) -> None:
    numbers = range(first, first + count)
    frontier.seed(Link(f"s:{n}", f"/{n}", "story") for n in numbers)
    by_key = {claim.key: claim.id for claim in frontier.claim(count)}
    frontier.store([FetchOutcome(by_key[f"s:{n}"], "done", body=page(n)) for n in numbers])


def sizes(connection: sqlite3.Connection) -> list[int]:
    return [row[0] for row in connection.execute("SELECT length(body) FROM bodies ORDER BY page")]


def test_bodies_come_back_whole_before_and_after_the_dictionary_was_made(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    fill(frontier, 0, SAMPLES)
    fill(frontier, SAMPLES, 20)
    frontier.close()
    fill(Frontier.open(tmp_path), SAMPLES + 20, 20)
    connection = pages.connect_readonly(tmp_path)
    bodies = RawStore(connection)
    found = [bodies.get(row[0]) for row in connection.execute("SELECT id FROM pages ORDER BY id")]
    assert found == [page(n) for n in range(SAMPLES + 40)]
    assert connection.execute("SELECT COUNT(*) FROM dictionaries").fetchone()[0] == 1
    taken = sizes(connection)
    assert sum(taken[-40:]) / 40 < 0.6 * sum(taken[:SAMPLES]) / SAMPLES
    assert bodies.get(10**6) is None


def test_a_batch_that_is_rolled_back_does_not_take_the_dictionary_along(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    fill(frontier, 0, SAMPLES)
    broken = FetchOutcome(1, "nonsense", body=page(1))  # type: ignore[arg-type]
    with pytest.raises(sqlite3.IntegrityError):
        frontier.store([broken])
    fill(frontier, SAMPLES, 5)
    connection = pages.connect_readonly(tmp_path)
    assert RawStore(connection).get(SAMPLES + 1) == page(SAMPLES)


def test_pages_that_have_nothing_in_common_are_stored_too(tmp_path: Path) -> None:
    frontier = Frontier.open(tmp_path)
    frontier.seed(Link(f"s:{n}", f"/{n}", "story") for n in range(SAMPLES + 5))
    claims = frontier.claim(SAMPLES + 5)
    frontier.store([FetchOutcome(claim.id, "done", body=b"") for claim in claims[:SAMPLES]])
    frontier.store([FetchOutcome(claim.id, "done", body=b"x") for claim in claims[SAMPLES:]])
    bodies = RawStore(pages.connect_readonly(tmp_path))
    assert bodies.get(1) == b"" and bodies.get(SAMPLES + 1) == b"x"
