"""What would go to the Hub, to be looked at before it goes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trainer import hub


@dataclass(frozen=True, slots=True)
class Parcel:
    """Folders and where each goes in the repository."""

    repository: str
    public: bool
    folders: tuple[tuple[Path, str], ...]

    def files(self) -> list[tuple[str, int]]:
        """Paths in the repository with their bytes."""
        return [
            (str(Path(to) / path.relative_to(folder)), path.stat().st_size)
            for folder, to in self.folders
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]

    def send(self) -> str:
        """Send it, and say where it is.

        Raises:
            UserError: see `hub.send`.
        """
        said = ""
        for folder, to in self.folders:
            said = hub.send(folder, self.repository, public=self.public, kind="model", to=to)
        return said
