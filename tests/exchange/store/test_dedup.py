"""Duplicates: found across results, days and processes; dated twins are none; once is enough."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.records import Pair
from exchange.store import tasks
from exchange.store.dedup import QuestionIndex
from exchange.store.schema import VERSION
from exchange.store.spool import Spool
from tests.exchange.store.test_spool import counted, put, result, story

ASKED = "Πόσα τρακτέρ παρατάχθηκαν στη Νίκαια Λάρισας στις 26 Νοέμβρη 1996;"


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    opened = Spool.open(tmp_path)
    opened.adopt_recipe("aaaaaa")
    put(opened, story())
    return opened


def kept(spool: Spool) -> list[tuple[str, str, str]]:
    rows = spool.db.execute("SELECT record FROM pairs ORDER BY rowid")
    pairs = [Pair.from_json(row["record"]) for row in rows]
    return [(pair.question, pair.reason, pair.duplicate_of) for pair in pairs]


def finish(spool: Spool, *questions: str) -> list[str]:
    (task,) = tasks.claim(spool, "paper", 1)
    tasks.finish(spool, [result(task.id, questions=questions, chunk_ids=task.chunk_ids)])
    return [Pair.make_id(task.id, question, "Οχτώ.") for question in questions]


def test_a_question_asked_again_is_rejected_and_names_the_one_that_was_kept(spool: Spool) -> None:
    (first,) = finish(spool, ASKED)
    finish(spool, ASKED.replace("Νίκαια Λάρισας", "Νίκαια της Λάρισας"))
    assert kept(spool)[1][1:] == ("duplicate", first)
    counters = spool.counters()
    assert counters["pairs.accepted"] == counters["rejected.duplicate"] == 1
    assert counters == counted(spool)


def test_a_dated_twin_is_another_question(spool: Spool) -> None:
    finish(spool, ASKED, ASKED.replace("1996", "1997"), ASKED.replace("Λάρισας", "Βόλου"))
    assert [reason for _, reason, _ in kept(spool)] == ["", "", ""]


def test_two_of_one_reply_are_compared_too(spool: Spool) -> None:
    (first, _) = finish(spool, ASKED, ASKED.replace("στις 26", "μαζί στις 26"))
    assert [found[1:] for found in kept(spool)] == [("", ""), ("duplicate", first)]


def test_a_result_collected_twice_is_no_duplicate_of_itself(spool: Spool) -> None:
    (task,) = tasks.claim(spool, "paper", 1)
    once = result(task.id, questions=(ASKED,))
    tasks.finish(spool, [once, once])
    tasks.finish(spool, [once])
    assert [found[1:] for found in kept(spool)] == [("", "")]


def test_many_questions_without_a_name_are_not_all_looked_at(spool: Spool) -> None:
    """All hold the same longest word, as questions without a name do that are about one thing."""
    asked = {
        str(number): f"γιατί έγινε ανασυγκρότηση με {word(number)}, {word(number * 7 + 1)} κάπου;"
        for number in range(400)
    }
    looked_at: list[str] = []

    def question_of(pair_id: str) -> str:
        looked_at.append(pair_id)
        return asked[pair_id]

    index = QuestionIndex(spool.db, question_of)
    assert not any(index.keep(*one) for one in asked.items())
    assert len(looked_at) < len(asked)
    assert index.keep("again", asked["123"].replace("έγινε", "έγινε η")) == "123"


def word(number: int) -> str:
    """A word of its own for each number, all of one length."""
    return "".join("βγδζθκλμνξ"[int(digit)] + "α" for digit in f"{number:04}")


def test_the_index_lasts_as_long_as_the_spool(spool: Spool, tmp_path: Path) -> None:
    finish(spool, ASKED)
    spool.close()
    again = Spool.open(tmp_path)
    finish(again, ASKED.replace("τρακτέρ", "τρακτερ"))
    assert kept(again)[1][1] == "duplicate"


def test_a_spool_of_the_first_format_is_upgraded_in_place(spool: Spool, tmp_path: Path) -> None:
    (first,) = finish(spool, ASKED)
    before = spool.counters()
    with spool.transaction() as db:
        for table in ("question_keys", "inputs", "verdicts", "richness", "names", "mentions"):
            db.execute(f"DROP TABLE {table}")
        db.execute("DROP TRIGGER pair_judged")
        db.execute("PRAGMA user_version=1")
    spool.close()
    upgraded = Spool.open(tmp_path)
    assert upgraded.db.execute("PRAGMA user_version").fetchone()[0] == VERSION
    assert upgraded.counters() == before == counted(upgraded)
    finish(upgraded, ASKED)
    assert kept(upgraded)[1][1:] == ("duplicate", first)
    assert upgraded.counters() == counted(upgraded)


def test_a_spool_of_the_last_format_keeps_what_its_index_held(spool: Spool, tmp_path: Path) -> None:
    """Also a pair that a check rejects and a person took in."""
    other = ASKED.replace("Λάρισας", "Βόλου")
    first, second = finish(spool, ASKED, other)
    with spool.transaction() as db:
        db.execute("DROP TABLE question_keys")
        db.execute("CREATE TABLE questions (key INTEGER, pair_id TEXT, question TEXT)")
        db.executemany("INSERT INTO questions VALUES (?,?,?)", [(1, first, ASKED), (2, second, "")])
        db.execute("UPDATE pairs SET status='rejected', reason='undated-event' WHERE id=?", [first])
        db.execute("PRAGMA user_version=7")
    spool.close()
    upgraded = Spool.open(tmp_path)
    tables = {row["name"] for row in upgraded.db.execute("SELECT name FROM sqlite_master")}
    assert "question_keys" in tables and "questions" not in tables
    finish(upgraded, ASKED, other)
    assert [found[1:] for found in kept(upgraded)[2:]] == [
        ("duplicate", first),
        ("duplicate", second),
    ]
