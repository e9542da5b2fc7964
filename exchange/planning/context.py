"""What every planner is given, and the reading that several of them share."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import Field

from exchange.records import Chunk, Pair, Task, TaskKind
from exchange.settings import SettingsTable
from exchange.store import tasks
from exchange.store.spool import Spool
from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.stems import stem

# Names of persons, places and organisations in a text, told by their capitals.
#
# No dictionary and no model: two capitalised words side by side, or an abbreviation. Cases of one
# name meet in one key, made of the stems of its words.

_WORD = r"[Α-ΩΆ-ΏA-Z][α-ωά-ώϊϋΐΰa-z]+"
_RUN = re.compile(rf"{_WORD}(?: (?:{_WORD}|[Α-ΩA-Z]{{2,}}))+|\b[Α-ΩA-Z]{{3,}}\b")
# A sentence begins with one of these before a name often enough.
_SENTENCE_OPENERS = frozenset(map(fold, every().words("sentence_openers")))


def find_names(text: str) -> Iterator[tuple[str, str]]:
    """Key and spelling of each name of a text, in order, with repetitions."""
    for match in _RUN.finditer(text):
        words = match[0].split()
        if fold(words[0]) in _SENTENCE_OPENERS:
            words = words[1:]
        if len(words) > 1 or (words and words[0].isupper()):
            yield name_key(words), " ".join(words)


def name_key(words: list[str]) -> str:
    """What the cases of one name have in common."""
    return " ".join(stem(fold(word)) for word in words)


def fact_density(text: str) -> int:
    """Names and numbers for each thousand characters: how much there is to sum up."""
    count = sum(1 for _ in find_names(text)) + len(re.findall(r"\d+(?:[.,]\d+)*", text))
    return round(1000 * count / max(len(text), 200))


# [plan]: which other tasks are made from what was crawled and generated, and how many.


class PlanSettings(SettingsTable):
    """The shares of the kinds of task beside the chunk ones; 0 leaves a kind out."""

    dense: float = Field(
        0.30, ge=0, le=1, description="share of chunks, the richest, asked for a summary or so"
    )
    whois: float = Field(
        0.05, ge=0, le=1, description="who-is tasks for each chunk, the most named first"
    )
    rephrase: float = Field(
        0.05, ge=0, le=0.5, description="share of kept pairs asked in other words, to test"
    )
    rephrase_least: int = Field(600, ge=0, description="rephrased pairs wanted at least")
    wordings: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of kept pairs whose questions get two or more other wordings, for "
        "[dataset] wordings to teach: two short tasks a pair, in hours in `kkoracle estimate`",
    )
    refusal: float = Field(
        0.06, ge=0, le=0.25, description="share of kept pairs turned into what nobody can answer"
    )
    correction: float = Field(
        0.03, ge=0, le=0.25, description="share of kept pairs asked with a false year or name"
    )
    replay: float = Field(
        0.10, ge=0, le=1, description="general questions for each kept pair, as far as there are"
    )


PAIRS_PER_STEP = 500  # pairs looked at in one step


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningContext:
    """One step of planning; a planner makes at most `limit` tasks of its kind."""

    spool: Spool
    archive: str
    kind: TaskKind
    recipe: str
    settings: PlanSettings
    counters: Mapping[str, int]
    idle: bool  # no task is open: nothing more will come of what there is now
    limit: int
    surveyed: bool = True  # every chunk has been read: the richest of them are known
    made: dict[str, int] = field(default_factory=dict)  # tasks there are, by kind: see `count`

    def task(
        self,
        subjects: tuple[str, ...],
        chunks: tuple[str, ...],
        text: str,
        header: str = "",
        **given: str,
    ) -> Task:
        """A task of this kind, not stored yet; equal subjects make the same task."""
        return Task(
            id=Task.make_id(self.kind, subjects, self.recipe),
            archive=self.archive,
            kind=self.kind,
            chunk_ids=chunks,
            recipe=self.recipe,
            text=text,
            header=header,
            language=tasks.archive_language(self.spool),
            given=given,
        )

    def add(self, task: Task, *, subject: str, story_id: str, year: int) -> bool:
        """Store a task; true when there is one to do now that was not there before."""
        new = tasks.add_task(self.spool, task, subject=subject, story_id=story_id, year=year)
        if new and self.kind in self.made:
            self.made[self.kind] += 1
        return new

    def count(self) -> int:
        """How many tasks of this kind and recipe there are already; counted once in many steps."""
        if self.kind not in self.made:
            (self.made[self.kind],) = self.spool.db.execute(
                "SELECT COUNT(*) FROM tasks WHERE kind=? AND recipe=? AND state<>'stale'",
                (self.kind, self.recipe),
            ).fetchone()
        return self.made[self.kind]

    def fresh_pairs(self) -> Iterator[SourcePair]:
        """Accepted pairs of chunk tasks that this kind has not looked at yet, a span of them."""
        place = place_of(self.kind)
        start = int(self.spool.meta(place) or 0)
        rows = self.spool.db.execute(
            "SELECT p.rowid, p.status, p.record, p.story_id, t.kind, t.year FROM pairs p "
            "JOIN tasks t ON t.id=p.task_id WHERE p.rowid>? ORDER BY p.rowid LIMIT ?",
            (start, PAIRS_PER_STEP),
        ).fetchall()
        for row in rows:
            if row["status"] == "accepted" and row["kind"] == "chunk":
                yield SourcePair(Pair.from_json(row["record"]), row["story_id"], row["year"])
        if rows:
            self.spool.set_meta(place, str(rows[-1]["rowid"]))


def place_of(kind: str) -> str:
    """The name, among the spool's meta values, of how far a kind has looked: pairs, or names."""
    return NAMES_AT if kind == "whois" else f"plan.pairs.{kind}"


@dataclass(frozen=True, slots=True)
class SourcePair:
    """A kept pair from which something is made."""

    pair: Pair
    story_id: str
    year: int

    @property
    def hash_fraction(self) -> float:
        """Where the pair's id, which is a hash, lies between 0 and 1: who is chosen hangs on it."""
        return int(self.pair.id[:8], 16) / 2**32


# Read each chunk once: how rich it is, and who is named in it. Goes on where it stopped.

# Among the spool's meta values.
POSITION = "plan.surveyed"  # row number of the last chunk read
DENSE_AT = "plan.dense"  # density and row number of the last chunk asked for more; none: the top
NAMES_AT = "plan.names"  # mentions and id of the last name looked at, how many were; none: the top


def survey_chunks(spool: Spool, limit: int) -> int:
    """Read up to `limit` chunks; call inside a transaction. Returns how many were read."""
    start = int(spool.meta(POSITION) or 0)
    rows = spool.db.execute(
        "SELECT rowid, record FROM chunks WHERE rowid>? ORDER BY rowid LIMIT ?", (start, limit)
    ).fetchall()
    for row in rows:
        text = Chunk.from_json(row["record"]).text
        spool.db.execute(
            "INSERT OR REPLACE INTO richness(chunk, density) VALUES (?,?)",
            (row["rowid"], fact_density(text)),
        )
        for key, name in dict(find_names(text)).items():
            _add_mention(spool, key, name, row["rowid"])
    if rows:
        spool.set_meta(POSITION, str(rows[-1]["rowid"]))
        spool.set_meta(DENSE_AT, "")  # some may be richer than those before
        spool.set_meta(NAMES_AT, "")  # and some names stand in more of them
    return len(rows)


def _add_mention(spool: Spool, key: str, name: str, chunk: int) -> None:
    known = spool.db.execute("SELECT id FROM names WHERE key=?", (key,)).fetchone()
    name_id = (
        known["id"]
        if known
        else spool.db.execute("INSERT INTO names(key, name) VALUES (?,?)", (key, name)).lastrowid
    )
    if spool.db.execute(
        "INSERT OR IGNORE INTO mentions(name, chunk) VALUES (?,?)", (name_id, chunk)
    ).rowcount:
        spool.db.execute("UPDATE names SET mentions=mentions+1 WHERE id=?", (name_id,))


def chunks_naming(spool: Spool, keys: list[str], limit: int) -> list[int] | None:
    """Row numbers of the chunks that name all of these; None when one of them is unknown.

    At most `limit`: a name with more cannot be looked through.
    """
    if not keys:
        return None
    ids = []
    for key in keys:
        row = spool.db.execute("SELECT id FROM names WHERE key=?", (key,)).fetchone()
        if row is None:
            return None
        ids.append(row["id"])
    marks = ",".join("?" * len(ids))
    rows = spool.db.execute(
        f"SELECT chunk FROM mentions WHERE name IN ({marks}) GROUP BY chunk HAVING COUNT(*)=? "
        "LIMIT ?",
        (*ids, len(ids), limit),
    )
    return [row["chunk"] for row in rows]
