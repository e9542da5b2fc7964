"""The tables of `spool.sqlite`: stories, chunks, tasks, completions, pairs and their counters.

The counters are kept by triggers inside the writing transaction, so that `status` never has to
count rows and never disagrees with them.

`inputs` holds what a task is asked with where that is more than one chunk (the chunk of a chunk
task is looked up); `verdicts` what each rule set said of a pair that was judged again, the one in
force being in `pairs`; `question_keys` is the index that finds a question asked before. `richness`,
`names` and `mentions` are what the planner has read off the chunks (by their row numbers) and
could read again at any time.

Whether a thing has a task already is looked up by `tasks_by_subject`, which such statements name:
SQLite itself takes the index with more columns, that of the kind, and goes through as many tasks
as there are chunks for each of them.
"""

import sqlite3

import orjson

from exchange.store import dedup, history
from exchange.store.db import counter_sql

# 2: other kinds of task, index of questions, verdicts by rule set; 3: marks; 4: failures undone;
# 5: history; 6: pairs that no worker of ours can have made are marked; 7: indexes for lists, made
# once, over 400,000 stories in 4 s of CPU; 8: questions by pairs of stems, made once, over 150,000
# accepted pairs in 4 s.
VERSION = 8
BAD_RECORD = "bad-record"  # why such a pair is rejected
STORY_AUTHOR = "json_extract(CAST(record AS TEXT), '$.author')"  # as a statement must write it

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS stories (
    id TEXT PRIMARY KEY, page TEXT NOT NULL, extraction TEXT NOT NULL, published TEXT NOT NULL,
    section TEXT NOT NULL, cluster TEXT NOT NULL, record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS stories_by_page ON stories(page);
CREATE INDEX IF NOT EXISTS stories_by_date ON stories(published, id);
CREATE INDEX IF NOT EXISTS stories_by_section ON stories(section, published, id);
CREATE INDEX IF NOT EXISTS stories_by_author ON stories({STORY_AUTHOR}, published, id);

CREATE TABLE IF NOT EXISTS marks (
    story_id TEXT NOT NULL REFERENCES stories(id), code TEXT NOT NULL,
    PRIMARY KEY (story_id, code)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS marks_by_code ON marks(code, story_id);

CREATE TABLE IF NOT EXISTS chunks (
    id TEXT PRIMARY KEY, story_id TEXT NOT NULL REFERENCES stories(id), position INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'stale')), record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS chunks_by_story ON chunks(story_id, position);

CREATE TABLE IF NOT EXISTS tasks (
    serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, subject TEXT NOT NULL,
    recipe TEXT NOT NULL, year INTEGER NOT NULL, length INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('new', 'queued', 'done', 'failed', 'stale')),
    missing INTEGER NOT NULL DEFAULT 0, reason TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS tasks_by_state ON tasks(state, year, serial);
CREATE INDEX IF NOT EXISTS tasks_by_subject ON tasks(subject);
CREATE INDEX IF NOT EXISTS tasks_by_kind ON tasks(kind, recipe, state);

CREATE TABLE IF NOT EXISTS completions (
    task_id TEXT PRIMARY KEY REFERENCES tasks(id), record BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS pairs (
    id TEXT PRIMARY KEY, task_id TEXT NOT NULL REFERENCES tasks(id), story_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('accepted', 'rejected')), reason TEXT NOT NULL,
    record BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS pairs_by_task ON pairs(task_id);
CREATE INDEX IF NOT EXISTS pairs_by_story ON pairs(story_id);

CREATE TABLE IF NOT EXISTS inputs (
    task_id TEXT PRIMARY KEY REFERENCES tasks(id), story_id TEXT NOT NULL, record BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    pair_id TEXT NOT NULL, rules TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    PRIMARY KEY (pair_id, rules)) WITHOUT ROWID;
{dedup.QUESTIONS_TABLE}
{history.HISTORY_TABLE}

CREATE TABLE IF NOT EXISTS richness (chunk INTEGER PRIMARY KEY, density INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS richness_by_density ON richness(density DESC, chunk);
CREATE TABLE IF NOT EXISTS names (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, name TEXT NOT NULL,
    mentions INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS names_by_mentions ON names(mentions DESC, id);
CREATE TABLE IF NOT EXISTS mentions (
    name INTEGER NOT NULL, chunk INTEGER NOT NULL, PRIMARY KEY (name, chunk)) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS story_added AFTER INSERT ON stories BEGIN
    {counter_sql("'stories'", "1")} END;
CREATE TRIGGER IF NOT EXISTS mark_added AFTER INSERT ON marks BEGIN
    {counter_sql("'marks.' || NEW.code", "1")} END;
CREATE TRIGGER IF NOT EXISTS mark_gone AFTER DELETE ON marks BEGIN
    {counter_sql("'marks.' || OLD.code", "-1")} END;
CREATE TRIGGER IF NOT EXISTS chunk_added AFTER INSERT ON chunks BEGIN
    {counter_sql("'chunks.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS chunk_moved AFTER UPDATE OF state ON chunks
    WHEN OLD.state <> NEW.state BEGIN
    {counter_sql("'chunks.' || OLD.state", "-1")} {counter_sql("'chunks.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS task_added AFTER INSERT ON tasks BEGIN
    {counter_sql("'tasks.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS task_moved AFTER UPDATE OF state ON tasks
    WHEN OLD.state <> NEW.state BEGIN
    {counter_sql("'tasks.' || OLD.state", "-1")} {counter_sql("'tasks.' || NEW.state", "1")} END;
CREATE TRIGGER IF NOT EXISTS task_failed AFTER UPDATE OF state ON tasks
    WHEN NEW.state = 'failed' AND OLD.state <> 'failed' BEGIN
    {counter_sql("'failed.' || NEW.reason", "1")} END;
CREATE TRIGGER IF NOT EXISTS task_reopened AFTER UPDATE OF state ON tasks
    WHEN OLD.state = 'failed' AND NEW.state <> 'failed' BEGIN
    {counter_sql("'failed.' || OLD.reason", "-1")} END;
CREATE TRIGGER IF NOT EXISTS pair_added AFTER INSERT ON pairs BEGIN
    {counter_sql("'pairs.' || NEW.status", "1")}
    {counter_sql("'rejected.' || NEW.reason", "(NEW.status = 'rejected')")} END;
CREATE TRIGGER IF NOT EXISTS pair_judged AFTER UPDATE OF status, reason ON pairs
    WHEN OLD.status <> NEW.status OR OLD.reason <> NEW.reason BEGIN
    {counter_sql("'pairs.' || OLD.status", "-1")}
    {counter_sql("'pairs.' || NEW.status", "1")}
    {counter_sql("'rejected.' || OLD.reason", "-(OLD.status = 'rejected')")}
    {counter_sql("'rejected.' || NEW.reason", "(NEW.status = 'rejected')")} END;
"""


def upgrade(db: sqlite3.Connection, found: int) -> None:
    """Fill the tables that a file of an earlier version lacks."""
    if found < 6:
        _mark_bad_pairs(db)
    if found < 8:
        _index_questions(db)


def _index_questions(db: sqlite3.Connection) -> None:
    """Those of accepted pairs, and of those that the former index held: people took them in."""
    db.execute("CREATE TABLE IF NOT EXISTS questions (pair_id TEXT)")  # the first format has none
    db.execute("DELETE FROM question_keys")
    index = dedup.QuestionIndex.of_spool(db)
    rows = db.execute(
        "SELECT id, record FROM pairs WHERE status='accepted' "
        "OR (reason<>? AND id IN (SELECT pair_id FROM questions))",
        (BAD_RECORD,),
    )
    for pair_id, record in rows:
        index.add(pair_id, orjson.loads(record)["question"])
    db.execute("DROP TABLE questions")


def _mark_bad_pairs(db: sqlite3.Connection) -> None:
    """What came in before results were held against their tasks; those tasks are made again."""
    db.execute(
        "CREATE TEMP TABLE bad AS SELECT p.id, p.task_id FROM pairs p "
        "JOIN tasks t ON t.id=p.task_id WHERE p.status='accepted' AND (length(p.id)<>24 "
        "OR p.id GLOB '*[^0-9a-f]*' OR (t.kind IN ('chunk', 'dense') AND "
        "json_extract(CAST(p.record AS TEXT), '$.chunk_ids') <> json_array(t.subject)))"
    )
    db.execute(
        "UPDATE pairs SET status='rejected', reason=:reason, record=CAST(json_set(CAST(record AS "
        "TEXT), '$.status', 'rejected', '$.reason', :reason) AS BLOB) "
        "WHERE id IN (SELECT id FROM bad)",
        {"reason": BAD_RECORD},
    )
    db.execute("UPDATE tasks SET state='new' WHERE id IN (SELECT task_id FROM bad)")
    db.execute("DROP TABLE bad")
