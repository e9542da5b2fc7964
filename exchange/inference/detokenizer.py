"""From tokens to text as it may be sent: no half letters, no thought, nothing of a stop text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from exchange.inference.engine import SamplingParams, TextPiece, TokenLogprob

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
        self._emitted = 0  # tokens before this one have been emitted

    def add(self, token: int) -> str:
        """What can be said now that this token is there; often nothing within a letter."""
        self._tokens.append(token)
        return self._rest(whole=False)

    def end(self) -> str:
        """What is left; half letters come out as replacement characters."""
        return self._rest(whole=True)

    def _rest(self, *, whole: bool) -> str:
        before = self._tokenizer.decode(self._tokens[self._from : self._emitted])
        now = self._tokenizer.decode(self._tokens[self._from :])
        if not whole and (now.endswith(_HALF) or len(now) <= len(before)):
            return ""
        self._from, self._emitted = self._emitted, len(self._tokens)
        return str(now[len(before) :])


class StopStrings:
    """Lets text through up to the first stop text, and holds back what could be its beginning."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = tuple(texts)
        self._held = ""
        self.found = ""  # the stop text that was met

    @property
    def hit(self) -> bool:
        """A stop text stands in what was pushed."""
        return bool(self.found)

    def push(self, text: str) -> str:
        """What may be sent of the text so far; `hit` is set when a stop text stands in it."""
        self._held += text
        places = [(at, stop) for stop in self._texts if (at := self._held.find(stop)) >= 0]
        if places:
            first, self.found = min(places)
            passed, self._held = self._held[:first], ""
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


class ThoughtFilter:
    """Lets an answer through and nothing of the block of thought before it.

    Args:
        marks: what stands around the block.
    """

    def __init__(self, marks: tuple[str, str]) -> None:
        self._begins, self._ends = marks
        self._held = ""
        self.in_thought = False
        self._answering = self._has_thought = False

    def push(self, text: str) -> str:
        """What of the text so far is answer."""
        if self._answering:
            return text
        self._held += text
        if not self.in_thought and not self._has_thought:
            head = self._held.lstrip()
            if self._begins.startswith(head):
                return ""  # may become the mark
            if not head.startswith(self._begins):
                return self._pass_on(self._held)
            self.in_thought = self._has_thought = True
        if self.in_thought:
            _, mark, rest = self._held.partition(self._ends)
            if not mark:
                return ""
            self.in_thought, self._held = False, rest
        rest = self._held.lstrip()
        return self._pass_on(rest) if rest else ""

    def end(self) -> str:
        """What was held back in vain."""
        return "" if self._answering or self._has_thought else self._pass_on(self._held)

    def _pass_on(self, text: str) -> str:
        self._answering, self._held = True, ""
        return text


def cut_thought(text: str, marks: tuple[str, str]) -> tuple[str, bool]:
    """A whole reply without its block of thought, and whether it was nothing but thought.

    A block that the prompt had opened already shows only its end.
    """
    thoughts = ThoughtFilter(marks)
    answer = thoughts.push(text) + thoughts.end()
    if marks[0] not in answer:
        answer = answer.rpartition(marks[1])[2]
    answer = answer.strip()
    return answer, not answer and bool(text.strip())


class TextStream:
    """The text of one request while it is decoded: what may be sent of it, and where it ends.

    Args:
        on_piece: given every piece as it comes; together they are the text.
    """

    def __init__(
        self,
        tokenizer: Any,
        sampling: SamplingParams,
        on_piece: Callable[[TextPiece], None] | None,
        think_marks: tuple[str, str],
    ) -> None:
        self.text = ""
        self._thoughts = ThoughtFilter(think_marks)
        self._tokenizer = tokenizer
        self._decoder = Detokenizer(tokenizer)
        self._stops = StopStrings(sampling.stop)
        self._on_piece = on_piece
        self._tokens = 0  # whose text is still held back
        self._logprobs: list[TokenLogprob] = []  # of these

    @property
    def stop_string(self) -> str:
        """The stop text that ended it, or ""."""
        return self._stops.found

    def add(self, token: int, scores: Any, end: str | None) -> bool:
        """Take the next token.

        Args:
            scores: `TokenScores` of the token, where they were asked for.
            end: why the request ends with it, if it does; at "stop" the token is the end mark.

        Returns:
            True when a stop text ends the request here.
        """
        text = ""
        if end != "stop":
            self._tokens += 1
            text = self._stops.push(self._thoughts.push(self._decoder.add(token)))
            if self._thoughts.in_thought:
                self._logprobs.clear()
            elif scores is not None:
                self._logprobs.append(self._spell(token, scores))
        self._emit(text + (self._rest() if end else ""), last=end is not None)
        return self._stops.hit

    def _rest(self) -> str:
        text = ""
        if not self._stops.hit:
            rest = self._thoughts.push(self._decoder.end()) + self._thoughts.end()
            text = self._stops.push(rest)
        return text + ("" if self._stops.hit else self._stops.end())

    def _emit(self, text: str, *, last: bool) -> None:
        if text or ((last or self._stops.hit) and self._logprobs):
            self.text += text
            piece = TextPiece(text, tuple(self._logprobs), self._tokens)
            self._tokens, self._logprobs = 0, []
            if self._on_piece:
                self._on_piece(piece)

    def _spell(self, token: int, scores: Any) -> TokenLogprob:
        spell = self._tokenizer.decode
        logprob, top = scores.read()
        return TokenLogprob(
            spell([token]), logprob, tuple((spell([one]), value) for one, value in top)
        )
