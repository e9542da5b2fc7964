"""The regular expressions that a profile's author wrote, in bounded time.

Scope, lists, parts and extraction use them; so nothing heavy is imported here.
"""

from __future__ import annotations

import logging
import re
from functools import cache
from typing import Any

from exchange.errors import UsageError

log = logging.getLogger(__name__)

LIMIT_S = 0.2  # for one pattern on one text
MOST_TIMEOUTS = 10  # then the pattern is at fault, and not a text
_REPEAT = re.compile(r"(?<!\\)(?:\\\\)*(?:[*+]|\{\d*,?\d*\})")


class ProfilePattern:
    """One pattern of a profile; what takes too long does not match.

    Python's own engine can take longer than a crawl for one address, where repeats stand in
    repeats or follow each other, and nothing can interrupt it. Such patterns are run by the
    `regex` package, which stops in time; the others by Python, ten times faster.

    Raises:
        UsageError: while it is used: it has taken too long again and again.
    """

    def __init__(self, pattern: str) -> None:
        """Compile it.

        Raises:
            ValueError: it is no regular expression.
        """
        self.pattern = pattern
        self._timeouts = 0
        try:
            plain = re.compile(pattern)
            self.groups = plain.groups
            self._bounded: Any = None
            if len(_REPEAT.findall(pattern)) > 1:
                import regex  # dateparser brings it

                self._bounded = regex.compile(pattern)
        except Exception as error:  # the two libraries have errors of their own
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
        self._plain = plain

    def search(self, text: str) -> re.Match[str] | None:
        """The first match anywhere."""
        return self._plain.search(text) if self._bounded is None else self._run("search", text)

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """The match of the whole text."""
        if self._bounded is None:
            return self._plain.fullmatch(text)
        return self._run("fullmatch", text)

    def _run(self, way: str, text: str) -> re.Match[str] | None:
        try:
            found: re.Match[str] | None = getattr(self._bounded, way)(text, timeout=LIMIT_S)
        except TimeoutError:
            self._timeouts += 1
            told = f"the profile's pattern {self.pattern!r} takes too long"
            if self._timeouts >= MOST_TIMEOUTS:
                raise UsageError(
                    f"{told}, again and again: write it so that no repeat stands in a repeat"
                ) from None
            log.warning("%s on a text of %d characters, which it does not match", told, len(text))
            return None
        return found


compile_pattern = cache(ProfilePattern)
