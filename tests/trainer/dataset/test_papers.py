"""A dataset of several newspapers: whose a row is, and what two of them printed alike."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from exchange.errors import BadFile, NotFound
from exchange.records import Chunk
from exchange.store import joined_corpus
from exchange.store.export import write_export
from exchange.store.joined_corpus import open_corpus, write_papers
from exchange.store.papers import PAPERS, papers_of
from exchange.store.spool import Spool
from exchange.store.tasks import LANGUAGE_KEY
from tests.conftest import run_cli
from tests.trainer.filling import fill, town
from trainer.dataset import DatasetRequest, build_dataset, read_split
from trainer.dataset.settings import DatasetSettings
from trainer.evaluate.items import build_items
from trainer.evaluate.items.build import ItemCounts

SETTINGS = DatasetSettings(valid=0.1, unseen=0.2, answer_cap=0)
AGENCY = 12  # stories that both papers took from an agency, each under other facts of its own


def agency(number: int) -> str:
    """Some long sentences of a story, the same wherever it is printed."""
    if number % 1000 >= AGENCY:
        return ""
    place = town(number % 1000)
    return (
        f"Το πρακτορείο μετέδωσε από την πόλη {place} ότι οι εργασίες τελείωσαν νωρίς. "
        f"Οι κάτοικοι της πόλης {place} υποδέχθηκαν την είδηση με χαρά και με κεράσματα. "
    )


@pytest.fixture
def press(tmp_path: Path) -> Path:
    """Two newspapers, and the folder that stands for both."""
    for name, first in (("one", 0), ("two", 1000)):
        fill(tmp_path / name, 40, archive=name, first=first, aside=agency)
    write_papers(tmp_path / "press", ["two", "one"])
    return tmp_path / "press"


def test_rows_say_whose_they_are_and_figures_are_kept_for_each_paper(press: Path) -> None:
    assert papers_of(press) == ("one", "two")
    manifest = build_dataset(press, SETTINGS).manifest
    assert manifest.archive == "press"
    taught = read_split(press / "dataset", "train")
    by_paper = manifest.splits["train"]["papers"]
    assert by_paper == {
        name: sum(row.origin.paper == name for row in taught) for name in ("one", "two")
    }
    assert min(by_paper.values()) > 30
    again = build_dataset(press, SETTINGS).manifest
    assert again.sha == manifest.sha
    alone = build_dataset(press.parent / "one", SETTINGS).manifest
    assert "papers" not in alone.splits["train"]
    assert b'"paper"' not in (press.parent / "one/dataset/train.jsonl").read_bytes()


def test_what_two_papers_took_from_an_agency_stands_on_one_side(press: Path) -> None:
    build_dataset(press, SETTINGS)
    sides: dict[str, set[str]] = {}
    papers: dict[str, set[str]] = {}
    for split in ("train", "valid", "test_unseen"):
        for row in read_split(press / "dataset", split):  # type: ignore[arg-type]
            sides.setdefault(row.cluster, set()).add(split)
            papers.setdefault(row.cluster, set()).add(row.origin.paper)
    assert all(len(found) == 1 for found in sides.values())
    assert sum(len(found) == 2 for found in papers.values()) == AGENCY
    assert len(papers) == 80 - AGENCY


def test_sentences_of_a_script_without_blanks_are_held_against_each_other_too(
    tmp_path: Path,
) -> None:
    """Each paper prints them within a paragraph of its own."""

    def agency(number: int) -> str:
        place = "一二三四五六七八九十"[number % 10] * 12
        return (
            f"{'甲' if number < 1000 else '乙'}新聞の記者が伝えた。"
            f"通信社は昨日の午後に{place}の町で長く続いた橋の工事が予定よりも早く終わったと詳しく伝えた。"
            f"{place}の町の住民はその知らせを大いに喜んで迎え、広場では夜遅くまで祝いの会が開かれたという。"
        )

    for name, first in (("one", 0), ("two", 1000)):
        fill(tmp_path / name, 10, archive=name, first=first, aside=agency)
        spool = Spool.open(tmp_path / name)
        with spool.transaction():
            spool.set_meta(LANGUAGE_KEY, "ja")
        spool.close()
    write_papers(tmp_path / "press", ["one", "two"])
    with open_corpus(tmp_path / "press") as corpus:
        clusters = {stored.cluster or stored.story.id for stored in corpus.stories()}
    assert len(clusters) == 10


def test_a_line_that_stands_everywhere_joins_nothing(tmp_path: Path) -> None:
    standing = "Διαβάστε περισσότερα στην έντυπη έκδοση της εφημερίδας που κυκλοφορεί. "
    for name, first in (("one", 0), ("two", 1000)):
        fill(tmp_path / name, 40, archive=name, first=first, aside=lambda number: standing)
    write_papers(tmp_path / "press", ["one", "two"])
    with open_corpus(tmp_path / "press") as corpus:
        assert len({stored.cluster for stored in corpus.stories()}) == 80


def test_questions_of_an_evaluation_are_told_apart_by_paper(press: Path) -> None:
    build_dataset(press, SETTINGS)
    with open_corpus(press) as corpus:
        chunks = {chunk.id: chunk for chunk in corpus.chunks()}

    def wanted(ids: object) -> dict[str, Chunk]:
        return {name: chunks[name] for name in ids}  # type: ignore[attr-defined]

    found = build_items(press / "dataset", wanted, None, ItemCounts(40, 0, 0))
    assert {item.slices.get("paper") for item in found.items} >= {"one", "two"}


def test_an_export_of_both_gives_the_same_dataset(press: Path, tmp_path: Path) -> None:
    once = build_dataset(press, SETTINGS)
    with open_corpus(press) as corpus:
        write_export(corpus, tmp_path / "files")
    other = build_dataset(
        tmp_path / "elsewhere/press", SETTINGS, DatasetRequest(origin=tmp_path / "files")
    )
    for name in ("train.jsonl", "test_unseen.jsonl"):
        assert (once.folder / name).read_bytes() == (other.folder / name).read_bytes()


def test_papers_are_named_on_the_command_line(press: Path) -> None:
    root = press.parent
    (root / "kkoracle.toml").write_text('data = "."\n[dataset]\nunseen = 0.2\nanswer_cap = 0\n')
    (press / PAPERS).unlink()
    words = ("dataset", "build", "press", "--of", "one", "--of", "two")
    done = run_cli(*words, cwd=root)
    assert done.returncode == 0, done.stderr
    assert "one: " in done.stdout and "two: " in done.stdout
    again = run_cli("dataset", "build", "press", "--json", cwd=root)  # it is known by now
    assert orjson.loads(again.stdout)["manifest"]["splits"]["train"]["papers"].keys() == {
        "one",
        "two",
    }
    for code, wrong in (
        (1, ("press", "--of", "three")),
        (2, ("one", "--of", "two")),
        (1, ("press", "--of", "../one")),
    ):
        refused = run_cli("dataset", "build", *wrong, cwd=root)
        assert refused.returncode == code and len(refused.stderr.splitlines()) == 1, refused.stderr


def test_papers_of_two_languages_make_no_dataset(press: Path) -> None:
    spool = Spool.open(press.parent / "two")
    spool.set_meta("language", "en")
    spool.close()
    (press.parent / "kkoracle.toml").write_text('data = "."\n')
    refused = run_cli("dataset", "build", "press", cwd=press.parent)
    assert refused.returncode == 2
    assert "one is in 'el' and two is in 'en'" in refused.stderr


def test_a_list_of_papers_that_is_none_is_told(tmp_path: Path) -> None:
    for content in (b"{", b"[]", b'["../x"]', b"7"):
        (tmp_path / joined_corpus.PAPERS).write_bytes(content)
        with pytest.raises(BadFile, match="names no archives"):
            papers_of(tmp_path)
    with pytest.raises(NotFound, match="no archive 'none'"):
        write_papers(tmp_path / "press", ["none"])
