"""An archive of any size in a few minutes, for looking at what lists and searches cost.

`python -m tools.large_spool DIR --stories 400000 --pairs 150000` writes `spool.sqlite`,
`pages.sqlite` and `review.sqlite` with our own schema, as thirty years of a newspaper would leave
them. The text is made up and the same for every run: names and words recur as in print (Zipf), so
that common and rare ones are both there. Stored pages are there for the latest stories only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import random
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore, fingerprint
from exchange.records import WITHHELD, Chunk, Pair, PairKind, Story, Task, digest
from exchange.store import history
from exchange.store.db import pack
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from exchange.text.dates import format_date
from tools.completions import made_up_completion

RECIPE = "abc123"
FIRST_DAY, DAYS = dt.date(1996, 1, 2), 10_950
BATCH = 5_000  # stories between two commits

SECTIONS = str.split(
    "Πολιτική,Οικονομία,Διεθνή,Κοινωνία,Πολιτισμός,Αθλητικά,Υγεία,Παιδεία,Εργασία,Αγροτικά,"
    "Δημόσιοι λόγοι,Επιστολές",
    ",",
)
MARKS = (("low-confidence", 0.04), ("teaser", 0.02), ("words-missing", 0.005), ("duplicate", 0.03))
AUTHORS = 400
RARE_MARK = "instruction"  # of one story in 20,000
REASONS = str.split(
    "ungrounded-name,duplicate,undated-event,answer-length,ungrounded-number,pronoun-only,"
    "mixed-language,facts-mixed,meta-reference,rephrase-alike",
    ",",
)
SYLLABLES = str.split("κα λο πετ ρυ μη σω βαν θι γεν δρα ξε φου τσα νι πο μαρ στε λια ζη κορ")
FIRST_NAMES = str.split("Νίκος Ελένη Στέλιος Άννα Θωμάς Μαρία Γιώργος Σοφία Πέτρος Ζωή")
WORDS = str.split(
    "εργάτες σχολείο λιμάνι γέφυρα συνεδρίαση απεργία νομοσχέδιο τιμές σιτάρι νοσοκομείο δρόμος "
    "πλημμύρα συναυλία βιβλίο αγώνας σύλλογος δήμος προϋπολογισμός εργοστάσιο σιδηρόδρομος"
)
ACTS = str.split("άνοιξε έκλεισε επισκέφθηκε παρουσίασε υπέγραψε κατήγγειλε ψήφισε οργάνωσε")


@dataclass(frozen=True, slots=True)
class Cast:
    """What stories are made of; what stands first recurs most."""

    people: tuple[str, ...]
    sentences: tuple[str, ...]


def make_cast(rng: random.Random, sentences: int = 30_000) -> Cast:
    """Names of people, and the sentences that speak of them; stories share them by chance."""

    def word(syllables: int) -> str:
        return "".join(rng.choices(SYLLABLES, k=syllables))

    towns = tuple(dict.fromkeys(word(3).title() for _ in range(1_500)))
    people = tuple(f"{rng.choice(FIRST_NAMES)} {word(3).title()}ίδης" for _ in range(3_000))
    spoken = [
        f"{people[zipf(rng, len(people))]} {rng.choice(ACTS)} {rng.choice(WORDS)} και "
        f"{rng.choice(WORDS)} στην πόλη {towns[zipf(rng, len(towns))]}, όπως το θέλησαν οι "
        f"{word(2)}τες της περιοχής με {rng.randrange(3, 900)} μέλη."
        for _ in range(sentences)
    ]
    return Cast(people, tuple(spoken))


def zipf(rng: random.Random, count: int) -> int:
    """A place among `count`, the n-th about 1/n as often as the first."""
    return min(int(count ** rng.random()) - 1, count - 1)


def make_story(rng: random.Random, cast: Cast, number: int, stories: int) -> Story:
    """A story of the paper; `number` counts through the years."""
    day = (FIRST_DAY + dt.timedelta(days=number * DAYS // stories)).isoformat()
    said = rng.choices(cast.sentences, k=rng.randrange(5, 14))
    name = cast.people[zipf(rng, len(cast.people))]
    return Story(
        id=digest("large", str(number)),
        url=f"https://paper.example/story/{number}",
        archive="large",
        published="" if rng.random() < 0.005 else day,
        section="Παραλειπόμενα" if number % 9_000 == 17 else SECTIONS[zipf(rng, len(SECTIONS))],
        title=f"{name}: {rng.choice(WORDS)} και {rng.choice(WORDS)}, φύλλο {number}",
        author="" if rng.random() < 0.3 else cast.people[zipf(rng, AUTHORS)],
        text="\n\n".join(" ".join(said[first : first + 3]) for first in range(0, len(said), 3)),
        marks=tuple(
            sorted(
                [code for code, share in MARKS if rng.random() < share]
                + [RARE_MARK] * (number % 20_000 == 7)
            )
        ),
    )


def chunks_of(story: Story) -> Iterator[Chunk]:
    """Two paragraphs each, under the line that a newspaper's chunks have."""
    date = f", {format_date(story.published, 'el')}" if story.published else ""
    paragraphs = story.text.split("\n\n")
    for index in range(0, len(paragraphs), 2):
        text = "\n".join(paragraphs[index : index + 2])
        place = index // 2
        chunk_id = digest(story.id, str(place))
        yield Chunk(chunk_id, story.id, place, text, f"Φωνή{date}, «{story.title}»")


def make_pairs(rng: random.Random, task_id: str, chunk: Chunk) -> Iterator[Pair]:
    """Three pairs of a chunk; three in ten are rejected. The last asks without name or number."""
    quote = chunk.text.split(".")[0] + "."
    for number, kind in enumerate(rng.sample(get_args(PairKind)[:6], 3)):
        reason = rng.choice(REASONS) if rng.random() < 0.3 else ""
        question = f"Τι έγινε, κατά το «{chunk.header[-40:]}», με {number + 1}η ερώτηση;"
        if number == 2:
            own = random.Random(task_id)
            things = ", ".join("".join(own.choices(SYLLABLES, k=3)) for _ in range(5))
            question = f"Γιατί έφεραν {things};"
        yield Pair(
            id=digest(task_id, str(number)),
            task_id=task_id,
            chunk_ids=(chunk.id,),
            question=question,
            answer=quote,
            kind=kind,
            status="rejected" if reason else "accepted",
            reason=reason,
            rules="large",
            scores={"round_trip": round(rng.random(), 3), "contrast": round(rng.gauss(1, 1), 3)},
            quote=quote,
        )


class Rows:
    """The rows of a batch of stories, table by table, until they are written."""

    TABLES = (
        ("stories", "id, page, extraction, published, section, cluster, record"),
        ("marks", "story_id, code"),
        ("chunks", "id, story_id, position, state, record"),
        ("tasks", "id, kind, subject, recipe, year, length, state"),
        ("completions", "task_id, record"),
        ("pairs", "id, task_id, story_id, status, reason, record"),
    )

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[object, ...]]] = {name: [] for name, _ in self.TABLES}

    def add_story(self, story: Story, *, asked: bool, rng: random.Random) -> int:
        """A story with its chunks and tasks; `asked`: its first task is done. Returns its pairs."""
        rows, pairs = self._rows, 0
        cluster = digest("cluster", story.title[:12]) if "duplicate" in story.marks else story.id
        page = f"story:{story.url}"
        record = story.to_json()
        rows["stories"].append(
            (story.id, page, "1", story.published, story.section, cluster, record)
        )
        rows["marks"] += [(story.id, code) for code in story.marks]
        withheld = not WITHHELD.isdisjoint(story.marks)
        for chunk in chunks_of(story):
            task_id = Task.make_id("chunk", (chunk.id,), RECIPE)
            done = asked and not withheld and chunk.index == 0
            state = "stale" if withheld else "done" if done else "new"
            year = int(story.published[:4] or 0)
            rows["tasks"].append((task_id, "chunk", chunk.id, RECIPE, year, len(chunk.text), state))
            rows["chunks"].append(
                (chunk.id, story.id, chunk.index, "stale" if withheld else "live", chunk.to_json())
            )
            if done:
                raw = made_up_completion(task_id, chunk.text[:200]).to_json()
                rows["completions"].append((task_id, pack(raw)))
                for pair in make_pairs(rng, task_id, chunk):
                    rows["pairs"].append(
                        (pair.id, task_id, story.id, pair.status, pair.reason, pair.to_json())
                    )
                    pairs += 1
        return pairs

    def write(self, db: sqlite3.Connection) -> None:
        for name, columns in self.TABLES:
            marks = ",".join("?" * len(columns.split(",")))
            db.executemany(f"INSERT INTO {name}({columns}) VALUES ({marks})", self._rows[name])
            self._rows[name].clear()


def write_spool(directory: Path, stories: int, pairs: int) -> None:
    """Fill a new spool; two thirds of the pairs' stories are spread over all years."""
    rng = random.Random(20_141)
    cast, rows, made = make_cast(rng), Rows(), 0
    spool = Spool.open(directory)
    spool.identity()
    spool.set_meta("recipe", RECIPE)
    spool.set_meta("language", "el")
    spool.db.execute("PRAGMA synchronous=OFF")  # a file that is cut short is made again
    spool.db.execute("PRAGMA cache_size=-200000")
    wanted = pairs / (3 * 0.95 * stories)  # share of stories with pairs: one in twenty is held back
    for first in range(0, stories, BATCH):
        last = min(first + BATCH, stories)
        for number in range(first, last):
            story = make_story(rng, cast, number, stories)
            asked = made < pairs and rng.random() < wanted
            made += rows.add_story(story, asked=asked, rng=rng)
        with spool.transaction() as db:
            rows.write(db)
            history.record_counters(db, time.time() - (stories - last) / 10)
        sys.stderr.write(f"{last:,} of {stories:,} stories, {made:,} pairs\n")
    spool.close()


def write_pages(directory: Path, stories: int, kept: int) -> None:
    """The frontier of all stories, with the bodies of the latest `kept`."""
    db = pages.connect(directory)
    store = RawStore(db)
    spool = Spool.read(directory)
    db.execute("PRAGMA synchronous=OFF")
    insert = (
        "INSERT INTO pages(id, key, url, kind, priority, state, tries, status, body_hash, charset, "
        "text, extraction) VALUES (?,?,?,'story',1,'done',1,200,?,'utf-8','done','1')"
    )
    query = "SELECT page, record FROM stories ORDER BY rowid"
    db.execute("BEGIN IMMEDIATE")
    for number, (key, record) in enumerate(spool.db.execute(query), 1):
        body = page_of(Story.from_json(record)) if number > stories - kept else b""
        url = key.partition(":")[2]
        db.execute(insert, (number, key, url, fingerprint(body) if body else key))
        if body:
            store.put(number, body)
    history.record_counters(db)
    db.execute("COMMIT")
    spool.close()
    db.close()


def page_of(story: Story) -> bytes:
    """A page as a newspaper's server sends it, with a script and a picture from elsewhere."""
    text = "".join(f"<p>{paragraph}</p>" for paragraph in story.text.split("\n\n"))
    return (
        f"<!doctype html><html lang='el'><head><meta charset='utf-8'><title>{story.title}</title>"
        "<script src='https://stat.example/count.js'></script></head><body>"
        f"<nav><a href='/'>Αρχική</a></nav><h1>{story.title}</h1><time>{story.published}</time>"
        f"<img src='https://pictures.example/1.jpg' alt='εικόνα'>{text}</body></html>"
    ).encode()


def write_labels(directory: Path, labels: int) -> None:
    """What two reviewers said of some pairs."""
    review, spool = Review.open(directory), Spool.read(directory)
    rows = spool.db.execute("SELECT id FROM pairs ORDER BY id LIMIT ?", (labels,)).fetchall()
    for number, (pair_id,) in enumerate(rows):
        reviewer = ("anna", "kostas")[number % 2]
        label = Label(pair_id=pair_id, verdict="accept", reviewer=reviewer, seconds=8.0)
        review.add_label(label if number % 4 else replace(label, verdict="reject", reason="other"))
    spool.close()
    review.close()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path, help="an archive's folder; must hold no spool")
    parser.add_argument("--stories", type=int, default=400_000)
    parser.add_argument("--pairs", type=int, default=150_000)
    parser.add_argument("--kept", type=int, default=500, help="stories with a stored page")
    parser.add_argument("--labels", type=int, default=300)
    asked = parser.parse_args(arguments)
    if (asked.directory / "spool.sqlite").exists():
        parser.error(f"{asked.directory} holds a spool already")
    asked.directory.mkdir(parents=True, exist_ok=True)
    write_spool(asked.directory, asked.stories, asked.pairs)
    write_pages(asked.directory, asked.stories, asked.kept)
    write_labels(asked.directory, asked.labels)
    sys.stderr.write(f"{time.process_time():.0f} s of CPU\n")


if __name__ == "__main__":
    main()
