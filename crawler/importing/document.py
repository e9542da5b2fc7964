"""One document of an import, as the readers of files hand it on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImportDocument:
    """One document, or why there is none: then `reason` is a code and `body` may be empty."""

    name: str  # path from where the import began, `#` and a number for a part of a file
    kind: str
    body: bytes = b""
    url: str = ""  # where it was published, when that is known
    charset: str = ""
    reason: str = ""


Documents = Iterator[ImportDocument]
BytesReadCallback = Callable[[int], None]  # bytes read since the last call
