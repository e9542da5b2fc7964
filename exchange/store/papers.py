"""A folder that stands for several archives: it names them in place of holding a spool.

`joined_corpus` reads them as one. What is about one newspaper (to crawl it, to judge its replies)
is refused such a folder, or it would become an archive itself.
"""

from __future__ import annotations

from pathlib import Path

import orjson

from exchange.errors import BadFile, UsageError
from exchange.records import ARCHIVE_PATTERN

PAPERS = "papers.json"


def papers_of(directory: Path) -> tuple[str, ...]:
    """The archives that a folder stands for; () for one that is an archive itself.

    Raises:
        BadFile: what stands there is no list of names.
    """
    try:
        names = orjson.loads((directory / PAPERS).read_bytes())
    except FileNotFoundError:
        return ()
    except ValueError:
        names = None
    if not isinstance(names, list) or not names or not all(map(_is_name, names)):
        raise BadFile(f"{directory / PAPERS} names no archives: build the dataset again with --of")
    return tuple(names)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and ARCHIVE_PATTERN.fullmatch(name) is not None


def folders_of(directory: Path) -> list[Path]:
    """Where the stories of an archive's folder are: there, or in those of its papers."""
    return [directory.parent / name for name in papers_of(directory)] or [directory]


def require_archive(directory: Path) -> None:
    """Refuse a folder that stands for several archives.

    Raises:
        UsageError: it does.
    """
    if papers := papers_of(directory):
        raise UsageError(
            f"{directory.name} is made of {' and '.join(papers)}, and this is done for each "
            "newspaper by itself: name one of them"
        )
