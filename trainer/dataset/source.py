"""Where rows come from: an archive's pairs, joined with stories, labels and scores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from importlib.resources import files
from typing import Any

from exchange.records import TOO_ALIKE, Pair, digest
from exchange.store.corpus import Corpus, StoredPair
from exchange.store.review import Label
from trainer.dataset.rows import BY_HAND, DatasetRow, StoryOrigin
from trainer.dataset.settings import DatasetSettings

REPORT_EVERY = 1000  # rows
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class DatasetSource:
    """All usable rows by id, what was left out of them, and what stories they are about."""

    rows: list[DatasetRow] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    described: dict[str, Any] = field(default_factory=dict)
    stories: dict[str, tuple[str, str]] = field(default_factory=dict)  # id -> cluster, ISO date
    ties: dict[str, tuple[str, ...]] = field(default_factory=dict)  # row id -> all its stories
    wordings: set[str] = field(default_factory=set)  # ids of rows that test nothing: too alike
    bad: list[tuple[str, str]] = field(default_factory=list)  # file and line, reason code


def rows_of_corpus(
    corpus: Corpus, settings: DatasetSettings, system: str, progress: Progress
) -> DatasetSource:
    """Rows of every pair that is accepted, by its rules or by a person.

    Args:
        progress: called now and then with pairs read and pairs in all.
    """
    source = DatasetSource()
    counters = corpus.counters()
    total = counters.get("pairs.accepted", 0) + counters.get("pairs.rejected", 0)
    origins: dict[str, StoryOrigin] = {}
    clusters: dict[str, str] = {}
    for stored in corpus.stories():
        story = stored.story
        origins[story.id] = StoryOrigin(
            story.url,
            stored.page,
            stored.extraction,
            story.published,
            story.section,
            story.title,
            stored.paper,
        )
        clusters[story.id] = stored.cluster or story.id
    owners = corpus.chunk_stories()
    judged = corpus.judgements()
    scorer = _scorer(list(judged.scores), settings.scorer)
    scores = judged.scores.get(scorer, {})
    sha = sha256()
    by_hand: Counter[str] = Counter()
    for number, stored_pair in enumerate(corpus.pairs()):
        if number % REPORT_EVERY == 0:
            progress(number, total)
        pair = stored_pair.pair
        label = judged.labels.get(pair.id)
        # What is too near to its source to test anything is still another wording to teach.
        wording = settings.wordings > 0 and pair.rephrase_of and pair.reason == TOO_ALIKE
        if label is None and pair.status == "rejected" and not wording:
            continue
        if label is not None and label.verdict == "reject":
            source.left_out["label_rejected"] += 1
            continue
        row = _row(stored_pair, clusters, origins, system)
        if label is not None:
            row = _apply_label(row, label, pair)
            if row.label == BY_HAND:
                by_hand[pair.reason] += 1
        if pair.id in scores:
            row = _apply_score(row, scores[pair.id])
        sha.update(row.to_line())
        scored_low = row.score is not None and row.score < settings.min_score
        if scored_low and row.label != BY_HAND:
            source.left_out["low_score"] += 1
            continue
        reason = unusable_reason(row)
        if reason:
            source.left_out[reason] += 1
            continue
        source.rows.append(row)
        if wording:
            source.wordings.add(row.id)
        stories = tuple(dict.fromkeys(owners[c] for c in pair.chunk_ids if c in owners))
        if len(stories) > 1:
            source.ties[row.id] = stories
        for one in stories or ((row.story,) if row.story else ()):
            source.stories[one] = (clusters.get(one, one), _date(origins, one))
    progress(total, total)
    source.described = {
        "sha256": sha.hexdigest(),
        "accepted": counters.get("pairs.accepted", 0),
        "rejected": {
            name.removeprefix("rejected."): count
            for name, count in sorted(counters.items())
            if name.startswith("rejected.")
        },
        "labels": len(judged.labels),
    }
    if by_hand:
        source.described["by_hand"] = dict(sorted(by_hand.items()))
    if settings.min_score and scores:  # who chose may not judge alone
        source.described["filtered"] = {"scorer": scorer, "min_score": settings.min_score}
    return source


def _scorer(known: list[str], wanted: str) -> str:
    """The newest of a name; a scorer that was trained again is another one (NAME:HASH)."""
    named = (name for name in reversed(known) if wanted in ("", name, name.partition(":")[0]))
    return next(named, wanted)


def unusable_reason(row: DatasetRow) -> str:
    """A reason code, "" when the row can be taught."""
    for text, name in ((row.question, "question"), (row.answer, "answer")):
        if not text:
            return f"empty_{name}"
        if "\0" in text:
            return "nul"
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            return "surrogate"
    return ""


def _row(
    stored: StoredPair, clusters: dict[str, str], origins: dict[str, StoryOrigin], system: str
) -> DatasetRow:
    pair = stored.pair
    return DatasetRow(
        id=pair.id,
        question=pair.question.strip(),
        answer=pair.answer.strip(),
        kind=pair.kind,
        story=stored.story,
        cluster=clusters.get(stored.story) or stored.story or pair.id,
        task=pair.task_id,
        chunks=pair.chunk_ids,
        system=system,
        rephrase_of=pair.rephrase_of,
        origin=origins.get(stored.story, StoryOrigin()),
        made=stored.made,
    )


def _apply_label(row: DatasetRow, label: Label, pair: Pair) -> DatasetRow:
    """The row in a person's words; whose pair a check had rejected, is told from the others."""
    edited = "edited" if label.question or label.answer else "accept"
    return replace(
        row,
        question=label.question.strip() or row.question,
        answer=label.answer.strip() or row.answer,
        label=BY_HAND if pair.status == "rejected" else edited,
    )


def _apply_score(row: DatasetRow, score: float) -> DatasetRow:
    return replace(row, score=score)


def _date(origins: dict[str, StoryOrigin], story: str) -> str:
    return origins[story].published if story in origins else ""


# `test_general`: 200 general prompts of ours, with answers, that no newspaper is needed for.
#
# What a model could do before tuning and cannot do after is forgotten; these rows show it.


def general_rows(language: str, system: str) -> list[DatasetRow]:
    """The rows of a language, in the file's order; none where we have no prompts in it."""
    path = files("trainer.dataset") / f"general_{language}.tsv"
    if not path.is_file():
        return []
    found = []
    for line in path.read_text("utf-8").splitlines():
        kind, question, answer = line.split("\t")
        name = digest("general", question)
        found.append(
            DatasetRow(
                id=name,
                question=question,
                answer=answer,
                kind=f"general.{kind}",
                story="",
                cluster="",
                system=system,
            )
        )
    return found
