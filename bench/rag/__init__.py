"""The search that stands before a question: its index, its queries, and whether it finds.

A made archive: chunks of about 1,200 characters, each with four facts among sentences that say
nothing, with names and places of thousands. Asked are facts whose question no other chunk
answers, with every name in another case than the text has it, once as it is, once without
accents, once in capitals.

index_cpu_s     processor seconds for the whole index, with the texts in it
query_cpu_ms    milliseconds of processor a question: its terms, the search, the four best chunks
recall_at_5     share of all those questions whose chunk is among the first five
recall_*        the same for each way of asking (plain: the text's own cases)
fts5_*          the peer: SQLite's FTS5 as it comes (unicode61, remove_diacritics 2) over the
                same chunks, asked with all words of the first 30 questions
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.rag.corpus import VARIANTS, QuestionVariants, SampleCorpus, make
from bench.registry import BenchSettings, Figures

if TYPE_CHECKING:
    from trainer.evaluate.rag import SearchIndex

SEED = 7
NOT_FOR_JUDGING = ("*index_cpu_s", "*query_cpu_ms", "*recall_*")
CHUNKS, QUICK = 50_000, 4_000
QUESTIONS = 300  # asked in every way
PEER = 30  # of them for the peer, which is slow
AMONG = 5
SHOWN = 4  # chunks that a system puts before a question


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--chunks", type=int, help=f"default {CHUNKS:,}; quick {QUICK:,}")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Make the archive, index it both ways, ask."""
    from trainer.evaluate.rag import Document, SearchIndex
    from trainer.evaluate.rag.index import question_terms

    count = args.chunks or (QUICK if settings.quick else CHUNKS)
    settings.log(f"making {count:,} chunks")
    made = make(count, SEED)
    asked = random.Random(SEED).sample(made.asked, min(QUESTIONS, len(made.asked)))
    with tempfile.TemporaryDirectory(prefix="kk-bench-") as folder:
        settings.log("indexing")
        documents = [Document(str(n), head, text) for n, (head, text) in enumerate(made.chunks)]
        began = time.process_time()
        index = SearchIndex.build(documents, "bench", Path(folder) / "rag.sqlite")
        index_cpu = time.process_time() - began
        size = (Path(folder) / "rag.sqlite").stat().st_size
        settings.log(f"asking {len(asked):,} questions in {len(VARIANTS)} ways")
        found = {
            way: sum(_finds(index, question_terms(one.ways[way]), one) for one in asked)
            for way in VARIANTS
        }
        query_ms = _query_ms(index, asked)
        index.close()
    settings.log("asking the peer")
    plain = _PlainIndex(made)
    few = asked[:PEER]
    peer = {way: sum(plain.finds(one.ways[way], one) for one in few) for way in VARIANTS}
    counted = [way for way in VARIANTS if way != "plain"]
    return {
        "chunks": count,
        "characters": round(sum(len(text) for _, text in made.chunks) / count),
        "questions": len(asked),
        "index_cpu_s": round(index_cpu, 1),
        "index_mb": round(size / 1e6, 1),
        "query_cpu_ms": round(query_ms, 2),
        "recall_at_5": round(sum(found[way] for way in counted) / len(counted) / len(asked), 4),
        **{f"recall_{way}": round(found[way] / len(asked), 4) for way in VARIANTS},
        "fts5_index_cpu_s": round(plain.index_cpu, 1),
        "fts5_query_cpu_ms": round(plain.query_ms, 2),
        **{f"fts5_recall_{way}": round(peer[way] / len(few), 4) for way in VARIANTS},
    }


def _finds(index: SearchIndex, terms: list[str], one: QuestionVariants) -> bool:
    return any(found.document.id == str(one.chunk) for found in index.search(terms, AMONG))


def _query_ms(index: SearchIndex, asked: list[QuestionVariants]) -> float:
    from trainer.evaluate.rag.index import question_terms

    questions = [one.ways[way] for one in asked for way in VARIANTS]
    began = time.process_time()
    for question in questions:
        index.search(question_terms(question), SHOWN)
    return (time.process_time() - began) / len(questions) * 1e3


class _PlainIndex:
    """FTS5 with its own tokenizer, asked with every word."""

    def __init__(self, made: SampleCorpus) -> None:
        self._db = sqlite3.connect(":memory:")
        self._db.execute(
            "CREATE VIRTUAL TABLE words USING fts5(text, content='', "
            "tokenize='unicode61 remove_diacritics 2')"
        )
        began = time.process_time()
        self._db.executemany(
            "INSERT INTO words(rowid, text) VALUES (?,?)",
            ((number + 1, f"{head}\n{text}") for number, (head, text) in enumerate(made.chunks)),
        )
        self.index_cpu = time.process_time() - began
        self._asked = 0
        self._cpu = 0.0

    @property
    def query_ms(self) -> float:
        return self._cpu / self._asked * 1e3 if self._asked else 0.0

    def finds(self, question: str, one: QuestionVariants) -> bool:
        words = "".join(c if c.isalnum() else " " for c in question).split()
        began = time.process_time()
        rows = self._db.execute(
            "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT ?",
            (" OR ".join(f'"{word}"' for word in words), AMONG),
        ).fetchall()
        self._cpu += time.process_time() - began
        self._asked += 1
        return (one.chunk + 1,) in rows
