"""The search before a question: it finds in any case and accents, and is whole or not there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.rag.corpus import VARIANTS, make
from exchange.errors import UserError
from exchange.recipes.prompts import load_template
from exchange.store.corpus import SpoolCorpus
from exchange.store.export import FolderCorpus, write_export
from tests.conftest import cli_environment
from tests.trainer.filling import fill
from trainer.evaluate.rag import Document, SearchIndex, open_archive, rag_messages
from trainer.evaluate.rag.archive import FILE
from trainer.evaluate.rag.index import question_terms
from trainer.tokenization import PASSAGE_PLACEHOLDERS

TEXTS = (
    "Ο δήμαρχος Νίκος Καρτερόπουλος εγκαινίασε τη γέφυρα του Ξηροπόταμου.",
    "Οι εργάτες της Καλοβρύσης κατέβηκαν σε απεργία στις 7 Φλεβάρη 2013.",
    "Η ομάδα της Άνω Βρύσης κέρδισε τον τελικό.",
)


def index(texts: tuple[str, ...] = TEXTS) -> SearchIndex:
    return SearchIndex.build((Document(str(n), "Φωνή", text) for n, text in enumerate(texts)), "k")


def found(of: SearchIndex, question: str, count: int = 1) -> list[str]:
    return [one.document.id for one in of.search(question_terms(question), count)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Τι εγκαινίασε ο Νίκος Καρτερόπουλος;", "0"),
        ("Ποιο ήταν το έργο του δημάρχου Καρτερόπουλου;", "0"),
        ("ΤΙ ΕΓΙΝΕ ΜΕ ΤΟΥΣ ΕΡΓΑΤΕΣ ΣΤΗΝ ΚΑΛΟΒΡΥΣΗ", "1"),
        ("τι εγινε στις 7/2/2013;", "1"),
        ("Τι έγινε στις 7 Φεβρουαρίου 2013;", "1"),
        ("ποια ομαδα κερδισε στην ανω βρυση;", "2"),
    ],
)
def test_a_question_finds_its_chunk_in_any_case_accent_and_date(
    question: str, expected: str
) -> None:
    assert found(index(), question) == [expected]


def test_a_made_archive_is_found_whichever_way_it_is_asked() -> None:
    made = make(150, seed=3)
    of = SearchIndex.build((Document(str(n), *chunk) for n, chunk in enumerate(made.chunks)), "k")
    for way in VARIANTS:
        hits = [str(one.chunk) in found(of, one.ways[way], 5) for one in made.asked[:100]]
        assert sum(hits) >= 95, way


def test_no_question_is_an_operator() -> None:
    of = index()
    for hostile in ('" OR 1', "NEAR(", "terms:γέφυρα", "γέφυρα*", "-γέφυρα", "^", "", "\0", "((("):
        of.search(question_terms(hostile), 4)
    assert found(of, 'γέφυρα" NEAR "x') == ["0"]
    assert found(of, "λέξη που δεν υπάρχει πουθενά") == []


def test_documents_of_the_asking_group_are_left_out() -> None:
    of = SearchIndex.build(
        [Document("a", "", "Γέφυρα Ξηροπόταμου", "one"), Document("b", "", "Γέφυρα", "two")], "k"
    )
    assert [one.document.id for one in of.search(["γεφυρ"], 4, beside="one")] == ["b"]


def test_the_index_is_kept_and_made_anew_only_when_the_chunks_change(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    with SpoolCorpus(tmp_path) as corpus:
        open_archive(corpus, tmp_path).close()
        made = (tmp_path / FILE).stat().st_mtime_ns
        open_archive(corpus, tmp_path).close()
        assert (tmp_path / FILE).stat().st_mtime_ns == made
        write_export(corpus, tmp_path / "out")
    with FolderCorpus(tmp_path / "out") as exported:
        again = open_archive(exported, tmp_path)
    assert again.count == 5 and (tmp_path / FILE).stat().st_mtime_ns == made
    fill(tmp_path, 1, first=5)
    with SpoolCorpus(tmp_path) as corpus:
        assert open_archive(corpus, tmp_path).count == 6


def test_a_damaged_index_is_made_anew(tmp_path: Path) -> None:
    fill(tmp_path, 2)
    for damage in (b"", b"no database at all", b"SQLite format 3\0" + b"\0" * 90):
        (tmp_path / FILE).write_bytes(damage)
        with SpoolCorpus(tmp_path) as corpus:
            assert open_archive(corpus, tmp_path).count == 2


def test_an_index_that_was_killed_half_way_is_not_taken_for_one(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from trainer.evaluate.rag import Document, SearchIndex\n"
        "def slow():\n"
        "    for n in range(100000):\n"
        "        print(n, flush=True); yield Document(str(n), '', 'γέφυρα'); time.sleep(0.001)\n"
        f"SearchIndex.build(slow(), 'k', Path({str(tmp_path / FILE)!r}))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=cli_environment(), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert SearchIndex.opened(tmp_path / FILE, "k") is None
    SearchIndex.build([Document("a", "", "γέφυρα")], "k", tmp_path / FILE).close()
    again = SearchIndex.opened(tmp_path / FILE, "k")
    assert again is not None and again.count == 1


def test_an_archive_without_chunks_is_one_line(tmp_path: Path) -> None:
    fill(tmp_path, 0)
    with SpoolCorpus(tmp_path) as corpus, pytest.raises(UserError, match="no chunks to search"):
        open_archive(corpus, tmp_path)


def test_passages_and_question_are_filled_in_whatever_they_hold() -> None:
    hostile = Document("a", "Φωνή", "{question} {passages} {nothing}")
    (message,) = rag_messages(
        load_template("el/rag", PASSAGE_PLACEHOLDERS), "Τι {passages};", [hostile]
    )
    assert message["content"].count("{passages}") == 2 and "{nothing}" in message["content"]
