"""What a built dataset is made of; the same input gives the same bytes, so no time stands here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import orjson

from exchange.errors import BadFile, NotFound

FILE = "manifest.json"
FORMAT = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """Beside the dataset's files; the last one written, so that it describes a whole set."""

    archive: str
    version: int  # raised when the cut-off is moved: figures of two versions do not compare
    method: str  # "clusters", or "researcher": by pair, which leaks
    line: dict[str, Any]  # key, shares and cut-off; kept by later builds, so that nothing moves
    system: str
    input: dict[str, Any]  # hash of the pairs with their clusters, how many, rejected by reason
    left_out: dict[str, int]  # accepted pairs that are in no file, by reason
    mix: dict[str, Any]  # shares of kinds and lengths in train, beside what was asked for
    splits: dict[str, dict[str, Any]]  # rows, stories, clusters, characters, kinds
    leak: dict[str, Any]  # siblings of test rows in train, beside a random split's
    files: dict[str, dict[str, Any]]  # sha256, bytes
    warnings: list[str] = field(default_factory=list)
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Indented for people."""
        return orjson.dumps(asdict(self), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @property
    def sha(self) -> str:
        """12 hex that name this dataset: equal when every file and every choice is equal."""
        return sha256(self.to_json()).hexdigest()[:12]

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the manifest of a built dataset.

        Raises:
            UserError: there is none, or it is damaged or of another version.
        """
        path = directory / FILE
        try:
            raw = orjson.loads(path.read_bytes())
            if raw["format"] != FORMAT:
                raise ValueError(f"format {raw['format']}, this version knows {FORMAT}")
            return cls(**raw)
        except FileNotFoundError:
            raise NotFound(f"no dataset in {directory}: run `kkoracle dataset build`") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadFile(
                f"{path} is unusable ({error}): delete it and run `kkoracle dataset build`"
            ) from None
