"""Which row goes to which side: repeated questions, the line of the split, the stories' places.

A held-out story tests what was never taught. Whether the taught is known is seen only by asking
for it otherwise; so the rows of `valid` and `test_recall` are rephrasings of rows in train, and
none of them may be like any question of train: neither like its source, nor like a sibling beside
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import orjson

from exchange.errors import BadFile
from exchange.files import PARTIAL, sha256_of, sync_path
from exchange.text.fold import fold
from exchange.text.similarity import SignatureIndex, question_signature
from trainer.dataset.rows import BY_HAND, MANIFEST, DatasetRow, Manifest
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.source import DatasetSource
from trainer.dataset.split import (
    SIDES,
    SplitAssignment,
    SplitRule,
    choose_rule,
    side_of,
)

_WITHOUT_STORY = ("replay", "refusal")  # kinds that are there to be taught


def without_repeated_questions(
    source: DatasetSource, placed: Mapping[str, SplitAssignment]
) -> list[DatasetRow]:
    """Rows without repeated questions, in all splits together: what train asks tests nothing.

    Of two, the one that a person took in stays although a check rejected it, perhaps as repeated;
    else the one of a story that was placed before, so that new rows displace none.
    """
    index, told, kept = SignatureIndex(), set[str](), []

    def rank(row: DatasetRow) -> tuple[bool, bool, bool, bool, str]:
        """Another wording in the very words of a row must not take that row's place."""
        again, spare = bool(row.rephrase_of), row.id in source.wordings
        return again, spare, row.label != BY_HAND, row.story not in placed, row.id

    for row in sorted(source.rows, key=rank):
        question = question_signature(row.question)
        said = fold(row.question) + "\0" + fold(row.answer)
        repeated = said in told or (not row.rephrase_of and index.nearest(question)[0])
        if repeated:
            source.left_out["duplicate"] += 1
            continue
        told.add(said)
        if not row.rephrase_of:
            index.add(row.id, question)
        kept.append(row)
    return sorted(kept, key=lambda row: row.id)


def decide_split(
    source: DatasetSource,
    settings: DatasetSettings,
    rephrased: int,
    before: SplitHistory | None,
    *,
    new_cutoff: bool,
    as_of: str = "",
) -> SplitHistory:
    """The line of the build before, or a first one, and the places that hold.

    With `new_cutoff` the next version: later stories may be taught, the rest keeps its place, but
    for what an earlier cut-off may not teach any more. The same with another date of `as_of`.
    """
    last = max((date for _cluster, date in source.stories.values() if date), default="")[:10]
    cutoff = as_of or settings.cutoff or last
    valid = 0.0 if rephrased >= MIN_REPHRASINGS else settings.valid
    if before and before.line.key.rpartition(":")[0] == settings.key:
        as_before = before.line.dated and before.line.cutoff == as_of if as_of else not new_cutoff
        if as_before:
            return before
        line = replace(before.line, cutoff=cutoff, valid=valid, dated=bool(as_of))
        places = {
            story: place
            for story, place in before.places.items()
            if place.side == side_of(place.cluster, line)
            and not (place.side != "unseen" and _is_too_late(source, story, line))
        }
        if line == before.line and places == before.places:
            return before  # built a second time: nothing may be taught that was not
        return SplitHistory(line, before.version + 1, places)
    rule = SplitRule("", 0.0, 0.0, cutoff, bool(as_of))
    clusters = {
        cluster
        for story, (cluster, _) in source.stories.items()
        if not _is_too_late(source, story, rule)
    }
    clusters |= {row.cluster for row in source.rows if not row.story}
    line = choose_rule(settings.key, clusters, settings.unseen, valid, cutoff)
    return SplitHistory(replace(line, dated=bool(as_of)), 1, {})


def _is_too_late(source: DatasetSource, story: str, line: SplitRule) -> bool:
    """By its date a story may not be taught; one that has no pair any more has no date either."""
    published = source.stories.get(story, ("", ""))[1]
    return line.is_late(published) or line.has_unknown_date(published)


def rows_by_side(
    rows: Sequence[DatasetRow],
    source: DatasetSource,
    places: Mapping[str, SplitAssignment],
    line: SplitRule,
) -> dict[str, list[DatasetRow]]:
    """Rows by side; a row about stories of several sides is in none."""
    sides: dict[str, list[DatasetRow]] = {"train": [], "valid": [], "unseen": []}
    for row in rows:
        stories = source.ties.get(row.id) or ((row.story,) if row.story else ())
        found = {places[story].side for story in stories}
        if not stories:
            found = {"train" if row.kind in _WITHOUT_STORY else side_of(row.cluster, line)}
        side = found.pop()
        if found or side == "quarantine":
            dates = [source.stories[story][1] for story in stories if story in source.stories]
            undated = any(map(line.has_unknown_date, dates))
            source.left_out["undated" if undated else "quarantined"] += 1
            continue
        cluster = places[row.story].cluster if row.story in places else row.cluster
        sides[side].append(row if cluster == row.cluster else replace(row, cluster=cluster))
    return sides


MIN_REPHRASINGS = (
    20  # rephrasings that are worth validating on; with fewer, whole clusters are held out
)
FILE = "places.tsv"


@dataclass(frozen=True, slots=True)
class SplitHistory:
    """What decides the split, the dataset's version, and where each story stands so far."""

    line: SplitRule
    version: int
    places: Mapping[str, SplitAssignment]


def finish_write(folder: Path) -> None:
    """Give the files of the last build their names where it was killed as it gave them.

    The manifest's own file is whole before the first name is given, so it says whether all are.
    """
    described = folder / (MANIFEST + PARTIAL)
    try:
        files = orjson.loads(described.read_bytes())["files"]
        wanted = {name: about["sha256"] for name, about in files.items()}
    except (OSError, ValueError, KeyError, TypeError):
        return  # no build was cut short, or one that was not whole: the one before stands
    partial: list[Path] = []
    for name, sha in wanted.items():
        here = [path for path in (folder / (name + PARTIAL), folder / name) if path.is_file()]
        found = next((path for path in here if sha256_of(path) == sha), None)
        if found is None:
            return
        partial += [found] if found.suffix == PARTIAL else []
    for path in [*partial, described]:
        path.replace(path.with_suffix(""))
    sync_path(folder)


def load_history(folder: Path) -> SplitHistory | None:
    """What the build before left; None when there was none.

    One that was killed as its files were given their names is finished first.

    Raises:
        UserError: the places are missing or damaged; guessing them anew would move rows.
    """
    finish_write(folder)
    if not (folder / MANIFEST).exists():
        return None
    manifest = Manifest.read(folder)
    path = folder / FILE
    try:
        data = path.read_bytes()
    except OSError:
        data = b""
    if sha256(data).hexdigest() != manifest.files.get(FILE, {}).get("sha256"):
        raise BadFile(
            f"{path} does not fit its manifest, so the split cannot be kept: restore it from a "
            f"backup, or delete {folder} to begin a new split"
        )
    places: dict[str, SplitAssignment] = {}
    for row in data.decode("utf-8").splitlines():
        story, cluster, side = row.split("\t")
        if side not in SIDES:
            raise BadFile(f"{path} names a side {side!r}: delete {folder} to begin a new split")
        places[story] = SplitAssignment(side, cluster)
    return SplitHistory(SplitRule(**manifest.line), manifest.version, places)


def assignments_to_bytes(places: Mapping[str, SplitAssignment]) -> bytes:
    """One line a story: id, cluster when it was placed, side; sorted."""
    return "".join(
        f"{story}\t{place.cluster}\t{place.side}\n" for story, place in sorted(places.items())
    ).encode("utf-8")
