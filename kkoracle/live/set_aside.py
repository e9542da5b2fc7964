"""What is not taught again: rows and stories that contradict, did harm, or were rolled back."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from exchange.files import write_atomic
from exchange.project import run_dir
from trainer.training.row_selection import NEW, read_ids

LIVE_DIR = "live"  # in the archive's folder: logs, results of commands, these lists
SET_ASIDE = "set-aside.txt"  # there: ids of rows and stories not to be taught
REFUSED = "refused.txt"  # there: rows of a run that did harm, each with the morning of its run


class SetAside:
    """The lists of one archive. Only the holder of the archive's morning lock writes."""

    def __init__(self, archive_dir: Path) -> None:
        self._archive_dir = archive_dir
        self.path = archive_dir / LIVE_DIR / SET_ASIDE

    def ids(self) -> frozenset[str]:
        """Of rows and stories."""
        return read_ids(self.path)

    def add(self, ids: Collection[str]) -> None:
        """Teach these no more."""
        if ids:
            found = sorted(self.ids().union(ids))
            write_atomic(self.path, "".join(f"{one}\n" for one in found))

    def add_run(self, run: str) -> None:
        """What a run was taught anew is not taught again."""
        self.add(read_ids(run_dir(self._archive_dir, run) / NEW))

    def refuse(self, run: str, morning: int) -> None:
        """Give new rows of a run that did harm a second try, and set aside those that had it.

        Whose fault a loss is nobody can tell from one morning; rows that stand in two such
        mornings are not tried a third time.
        """
        path = self.path.with_name(REFUSED)
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        before = dict(line.split() for line in lines)
        rows = read_ids(run_dir(self._archive_dir, run) / NEW)
        number = str(morning)
        self.add({row for row in rows if before.get(row, number) != number})
        refused = dict.fromkeys(rows, number) | before
        write_atomic(path, "".join(f"{row} {first}\n" for row, first in sorted(refused.items())))
