"""The splits, and on which side of the line a story stands.

A story's side follows from its cluster's hash and its date; once it has stood somewhere it stays
there (`places.tsv`), whatever comes later. Sides are about what may be taught: `valid` and
`test_recall` are made of rephrasings of what is taught, so they are not sides.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from hashlib import blake2b
from typing import Any, Literal

from exchange.errors import BadFile, NotEnoughData

Split = Literal["train", "valid", "test_recall", "test_unseen", "test_general", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test_recall", "test_unseen", "test_general")
Side = Literal["train", "valid", "unseen", "quarantine"]
SIDES: tuple[Side, ...] = ("train", "valid", "unseen", "quarantine")
WANTED_CLUSTERS = 60  # held-out clusters; with fewer, intervals are too wide to say anything
MAX_HELD_OUT = 0.4  # of a small archive that may be held out to get there
MIN_HELD_OUT = 0.03  # of any archive
_TRIES = 1000
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class SplitRule:
    """Everything that decides a side; chosen at the first build, then kept in the manifest."""

    key: str
    unseen: float  # share of clusters that are never taught
    valid: float  # share of clusters to validate on; 0 where rephrasings do that
    cutoff: str  # ISO date; stories printed later are never taught; "" for none
    dated: bool = False  # taught as of the cut-off: a story without a date is in no split

    def is_late(self, published: str) -> bool:
        """Printed after the cut-off; never so without a date."""
        return bool(self.cutoff) and published[:10] > self.cutoff

    def has_unknown_date(self, published: str) -> bool:
        """It cannot be said on which side of the cut-off it was printed, and that matters."""
        return self.dated and not _DAY.match(published)

    def described(self) -> dict[str, Any]:
        """As it stands in the manifest."""
        return {name: value for name, value in asdict(self).items() if name != "dated" or value}


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """Where a story stands, and the cluster it belonged to when it was put there."""

    side: Side
    cluster: str


def hash_fraction(name: str, key: str) -> float:
    """A number in [0, 1) for a name; others do not matter, so new ones never move old ones."""
    raw = blake2b(name.encode("utf-8", "surrogatepass"), key=key.encode()[:64], digest_size=8)
    return int.from_bytes(raw.digest(), "big") / 2**64


def side_of(cluster: str, line: SplitRule) -> Side:
    """The side of a cluster by its hash alone."""
    at = hash_fraction(cluster, line.key)
    if at < line.unseen:
        return "unseen"
    return "valid" if at < line.unseen + line.valid else "train"


def choose_rule(
    seed: str, clusters: Collection[str], unseen: float, valid: float, cutoff: str
) -> SplitRule:
    """The line of a first build: enough held out, and no side left empty.

    Raises:
        UserError: too few clusters to hold any out.
    """
    count = len(clusters)
    sides = 3 if valid else 2
    if count < sides:
        raise NotEnoughData(
            f"only {count} stories have accepted pairs{f' (up to {cutoff})' if cutoff else ''} and "
            f"{sides} are needed at least, one for each split: crawl and generate more first"
        )
    share = max(unseen, MIN_HELD_OUT, min(WANTED_CLUSTERS / count, MAX_HELD_OUT))
    enough = min(WANTED_CLUSTERS, int(share * count))
    fallback = ""
    for number in range(_TRIES):
        line = SplitRule(f"{seed}:{number}", share, valid, cutoff)
        placed = [side_of(cluster, line) for cluster in clusters]
        if len(set(placed)) == sides:
            if placed.count("unseen") >= enough:
                return line
            fallback = fallback or line.key
    if fallback:
        return SplitRule(fallback, share, valid, cutoff)
    raise NotEnoughData(
        f"no split of {count} stories fills train, valid and test: raise [dataset] valid and "
        "unseen, or crawl more first"
    )


def assign_stories(
    stories: Mapping[str, tuple[str, str]], line: SplitRule, earlier: Mapping[str, SplitAssignment]
) -> dict[str, SplitAssignment]:
    """A place for every story; those of an earlier build keep theirs.

    A story that would tie two sides together (its near-duplicates stand on both, or its cluster
    is taught and it was printed after the cut-off), or whose date is wanted and unknown, is
    quarantined: in no split at all.

    Args:
        stories: id -> (cluster, ISO date).
    """
    members: defaultdict[str, list[str]] = defaultdict(list)
    for story, (cluster, _published) in stories.items():
        members[cluster].append(story)
    places = dict(earlier)
    for cluster in sorted(members):
        known = [earlier[story] for story in members[cluster] if story in earlier]
        standing = sorted(
            {(place.side, place.cluster) for place in known if place.side != "quarantine"}
        )
        home: SplitAssignment | None
        if not standing:
            home = SplitAssignment(side_of(cluster, line), cluster)
        elif len({side for side, _group in standing}) == 1:
            home = SplitAssignment(*standing[0])
        else:
            home = None
        for story in members[cluster]:
            if story in earlier:
                continue
            late = line.is_late(stories[story][1])
            early = any(not line.is_late(stories[other][1]) for other in members[cluster])
            unknown = line.has_unknown_date(stories[story][1])
            if home is None or unknown or (late and early and home.side != "unseen"):
                places[story] = SplitAssignment("quarantine", cluster)
            else:
                places[story] = SplitAssignment("unseen", home.cluster) if late else home
    return places


def check_crossing(placed: Iterable[tuple[str, str]]) -> None:
    """Refuse a set in which one cluster stands on two sides.

    Args:
        placed: cluster and side of every row.

    Raises:
        UserError: such a cluster, named: the test set would hold what was trained on.
    """
    seen: dict[str, str] = {}
    for cluster, side in placed:
        if seen.setdefault(cluster, side) != side:
            raise BadFile(
                f"cluster {cluster} stands in {seen[cluster]} and in {side}: this set would "
                "test on what it trains on; nothing was written"
            )
