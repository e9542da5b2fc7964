"""Read each chunk once: how rich it is, and who is named in it. Goes on where it stopped."""

from __future__ import annotations

from exchange.planning import names
from exchange.records import Chunk
from exchange.store.spool import Spool

POSITION = "plan.surveyed"  # row number of the last chunk read, in the spool's meta values


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
            (row["rowid"], names.fact_density(text)),
        )
        for key, name in dict(names.find_names(text)).items():
            _add_mention(spool, key, name, row["rowid"])
    if rows:
        spool.set_meta(POSITION, str(rows[-1]["rowid"]))
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
