"""Where every story stood in earlier builds (`places.tsv`), so that later ones move none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from exchange.errors import BadFile
from trainer.dataset import manifest as manifests
from trainer.dataset.manifest import Manifest
from trainer.dataset.split import SIDES, SplitAssignment, SplitRule

FILE = "places.tsv"


@dataclass(frozen=True, slots=True)
class SplitHistory:
    """What decides the split, the dataset's version, and where each story stands so far."""

    line: SplitRule
    version: int
    places: Mapping[str, SplitAssignment]


def load_history(folder: Path) -> SplitHistory | None:
    """What the build before left; None when there was none.

    Raises:
        UserError: the places are missing or damaged; guessing them anew would move rows.
    """
    if not (folder / manifests.FILE).exists():
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
