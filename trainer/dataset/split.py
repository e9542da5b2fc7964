"""Which split a cluster belongs to: a pure function of its id, the key and the shares."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from exchange.errors import UserError

Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")
_TRIES = 1000  # with the fewest clusters allowed (3) and shares of 5 %, 1 key in 75 fits


@dataclass(frozen=True, slots=True)
class Shares:
    """What part of the clusters valid and test get; train gets the rest."""

    valid: float
    test: float


def place(cluster: str, key: str, shares: Shares) -> Split:
    """The split of a cluster. Other clusters do not matter, so new ones never move old ones."""
    raw = blake2b(cluster.encode(), key=key.encode()[:64], digest_size=8).digest()
    point = int.from_bytes(raw, "big") / 2**64
    if point < shares.test:
        return "test"
    return "valid" if point < shares.test + shares.valid else "train"


def choose_key(seed: str, clusters: Collection[str], shares: Shares) -> str:
    """The first key under which no split is left empty: a small archive can be unlucky.

    Chosen once, at the first build, and then kept in the manifest.

    Raises:
        UserError: too few clusters for three splits.
    """
    if len(clusters) < len(SPLITS):
        raise UserError(
            f"only {len(clusters)} stories have accepted pairs and {len(SPLITS)} are needed at "
            "least, one for each split: crawl and generate more first"
        )
    for number in range(_TRIES):
        key = f"{seed}:{number}"
        if len({place(cluster, key, shares) for cluster in clusters}) == len(SPLITS):
            return key
    raise UserError(
        f"no split of {len(clusters)} stories fills train, valid and test: raise [dataset] valid "
        "and test, or crawl more first"
    )


def check_crossing(places: Iterable[tuple[str, Split]]) -> None:
    """Refuse a set in which one cluster stands in two splits.

    Raises:
        UserError: such a cluster, named: the test set would hold what was trained on.
    """
    seen: dict[str, Split] = {}
    for cluster, split in places:
        if seen.setdefault(cluster, split) != split:
            raise UserError(
                f"cluster {cluster} stands in {seen[cluster]} and in {split}: this set would "
                "test on what it trains on; nothing was written"
            )


def missing(counts: Mapping[Split, int]) -> list[Split]:
    """The splits without a row."""
    return [split for split in SPLITS if not counts.get(split)]
