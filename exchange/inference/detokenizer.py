"""From tokens to text as it may be sent: no half letters, nothing of a stop text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_HALF = "\ufffd"  # what stands for bytes that are no letter yet


class Detokenizer:
    """Tokens to text, piece by piece; the pieces together are the text of all tokens.

    A token can be part of a letter, and what it is can depend on the token before, so the last
    few are always decoded together.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._from = 0  # tokens before this one are not looked at any more
        self._said = 0  # tokens before this one have been given out

    def add(self, token: int) -> str:
        """What can be said now that this token is there; often nothing within a letter."""
        self._tokens.append(token)
        return self._rest(whole=False)

    def end(self) -> str:
        """What is left; half letters come out as replacement characters."""
        return self._rest(whole=True)

    def _rest(self, *, whole: bool) -> str:
        before = self._tokenizer.decode(self._tokens[self._from : self._said])
        now = self._tokenizer.decode(self._tokens[self._from :])
        if not whole and (now.endswith(_HALF) or len(now) <= len(before)):
            return ""
        self._from, self._said = self._said, len(self._tokens)
        return str(now[len(before) :])


class StopStrings:
    """Lets text through up to the first stop text, and holds back what could be its beginning."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._held = ""
        self.hit = False

    def push(self, text: str) -> str:
        """What may be sent of the text so far; `hit` is set when a stop text stands in it."""
        self._held += text
        places = [at for at in (self._held.find(stop) for stop in self._texts) if at >= 0]
        if places:
            self.hit = True
            passed, self._held = self._held[: min(places)], ""
            return passed
        keep = max((self._overlap(stop) for stop in self._texts), default=0)
        cut = len(self._held) - keep
        passed, self._held = self._held[:cut], self._held[cut:]
        return passed

    def end(self) -> str:
        """What was held back in vain."""
        passed, self._held = self._held, ""
        return passed

    def _overlap(self, stop: str) -> int:
        """The length of the longest end of the held text that begins the stop text."""
        for size in range(min(len(stop) - 1, len(self._held)), 0, -1):
            if self._held.endswith(stop[:size]):
                return size
        return 0
