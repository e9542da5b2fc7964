"""Where rows come from: a spool's accepted pairs, joined with their stories' clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from exchange.spool import Spool
from exchange.text.fold import fold
from trainer.dataset.rows import Row

REPORT_EVERY = 1000  # rows


@dataclass(slots=True)
class Source:
    """All usable rows by pair id, and what was left out of them."""

    rows: list[Row] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    described: dict[str, Any] = field(default_factory=dict)


def read(spool: Spool, system: str, progress: Callable[[int, int], None]) -> Source:
    """Read one consistent snapshot, while the daemon may go on writing.

    Args:
        progress: called now and then with pairs read and pairs in all.
    """
    source = Source()
    sha = sha256()
    told: set[str] = set()
    spool.db.execute("BEGIN")
    try:
        counters = spool.counters()
        total = counters.get("pairs.accepted", 0)
        clusters = spool.clusters()
        for number, (pair, story) in enumerate(spool.pairs("accepted")):
            if number % REPORT_EVERY == 0:
                progress(number, total)
            cluster = clusters.get(story) or story or pair.id
            row = Row(pair.id, pair.question.strip(), pair.answer.strip(), pair.kind, story,
                      cluster, pair.task_id, pair.chunk_ids, system)  # fmt: skip
            sha.update(row.to_line())
            reason = _unusable(row, told)
            if reason:
                source.left_out[reason] += 1
            else:
                source.rows.append(row)
        progress(total, total)
    finally:
        spool.db.execute("ROLLBACK")
    source.described = {
        "sha256": sha.hexdigest(),
        "accepted": total,
        "rejected": {name.removeprefix("rejected."): count for name, count in
                     sorted(counters.items()) if name.startswith("rejected.")},
    }  # fmt: skip
    return source


def _unusable(row: Row, told: set[str]) -> str:
    """A reason code, "" when the row can be taught; remembers what was said already."""
    if not row.question or not row.answer:
        return "empty"
    if "\0" in row.question or "\0" in row.answer:
        return "nul"
    said = fold(row.question) + "\0" + fold(row.answer)
    if said in told:
        return "duplicate"
    told.add(said)
    return ""
