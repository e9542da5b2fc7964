"""What a quality gate may say of a story: the codes, and which of them hold its text back.

A marked story stays, with its text; nothing is deleted because it was bad. The chunks of one that
is held back are `stale`, so that no task asks about them, until the mark goes.
"""

from __future__ import annotations

from collections.abc import Iterable

# code -> what it means, for people
MARKS = {
    "low-confidence": "found without a profile's selectors",
    "broken-characters": "replacement characters: the page was read in a wrong charset",
    "other-language": "too few letters of the newspaper's own script",
    "words-missing": "fewer words than the newspaper itself counts",
    "words-extra": "more words than the newspaper itself counts",
    "date-differs": "index and page do not agree on the date",
    "boilerplate": "most of it stands on many other pages too",
    "teaser": "leads to a story that stands elsewhere in full",
    "edition": "all but a little of it stands in another story",
    "duplicate": "word for word an earlier story",
}
WITHHELD = frozenset(
    {"broken-characters", "other-language", "boilerplate", "teaser", "edition", "duplicate"}
)


def is_withheld(marks: Iterable[str]) -> bool:
    """True when a story with these marks gives no tasks."""
    return not WITHHELD.isdisjoint(marks)
