"""The review in a terminal: one pair a screen, one key each."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.prompt import Prompt
from rich.text import Text

from exchange.errors import Unsupported
from exchange.store.review import Review
from exchange.text.controls import printable
from trainer.review.session import (
    ReviewItem,
    ReviewSession,
    open_review,
    rejection_reasons,
    self_agreement,
)

_SAME_KEY = {"α": "a", "ε": "e", "ρ": "r", "σ": "s", "θ": "u", ";": "q"}
KEYS = "[a]ccept  [e]dit  [r]eject  [s]kip  [u]ndo  [q]uit"


def run_review(archive_dir: Path, language: str, count: int, reviewer: str) -> None:
    """A session on this terminal; ends with the number of labels and how far they agree.

    Raises:
        UserError: no terminal, or nothing to review.
    """
    if not sys.stdin.isatty():
        raise Unsupported("a review needs a terminal: run `kkoracle dataset review` in one")
    console = Console(highlight=False)
    session = open_review(archive_dir, count, reviewer)
    try:
        review_items(session, console, read_key, rejection_reasons(language))
    finally:
        review = Review.open(archive_dir)
        found = self_agreement(review)
        labels = f"{session.labelled} label{'' if session.labelled == 1 else 's'}"
        console.print(f"{labels} stored; the next session goes on")
        if found.pairs:
            console.print(f"agreement with yourself: {found.same} of {found.pairs}")
        review.close()


def review_items(
    session: ReviewSession, console: Console, key: Callable[[], str], reasons: Sequence[str]
) -> None:
    """Show each item and do what the key says, until the end or `q`."""
    while (item := session.item) is not None:
        console.clear()
        console.print(screen(session, item))
        pressed = key()
        if pressed in ("q", "\x03", "\x04", ""):
            return
        if pressed == "a":
            session.accept()
        elif pressed == "s":
            session.skip()
        elif pressed == "u":
            session.undo()
        elif pressed == "e":
            pair = item.pair.pair
            question = Prompt.ask("question", console=console, default=pair.question)
            answer = Prompt.ask("answer", console=console, default=pair.answer)
            session.accept(_clean(question), _clean(answer))
        elif pressed == "r":
            reason = _reason(console, key, reasons)
            if reason:
                session.reject(reason)


def screen(session: ReviewSession, item: ReviewItem) -> Group:
    """What one item looks like; text of others is never read as markup."""
    pair = item.pair.pair
    position = f"{session.index + 1}/{len(session.items)}"
    confidence = "" if item.confidence is None else f"  confidence {item.confidence:.2f}"
    again = "  (shown before)" if item.again else ""
    return Group(
        Panel(Text(_clean(item.chunk)), title=escape(_clean(item.header)), title_align="left"),
        Text(_clean(pair.question), style="bold"),
        Text(_clean(pair.answer), style="green"),
        Text(f"{position}  {pair.kind}{confidence}{again}", style="dim"),
        Text(KEYS),
    )


def _reason(console: Console, key: Callable[[], str], reasons: Sequence[str]) -> str:
    for number, reason in enumerate(reasons, 1):
        console.print(f"{number} {reason}", markup=False)
    return dict(zip("123456789", reasons, strict=False)).get(key(), "")


def _clean(text: str) -> str:
    """No control characters: a reply of the model cannot move the cursor."""
    return printable(text)


def read_key() -> str:
    """One key, without Enter; a Greek keyboard's letters count as those on the same keys.

    Returns:
        The letter, or "" at the end of input.
    """
    import termios
    import tty

    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    try:
        tty.setcbreak(file, termios.TCSANOW)  # keeps what was typed ahead
        raw = os.read(file, 1)
        while raw:
            try:
                letter = raw.decode("utf-8")
                return _SAME_KEY.get(letter, letter)
            except UnicodeDecodeError:
                raw += os.read(file, 1)
    finally:
        termios.tcsetattr(file, termios.TCSANOW, before)
    return ""
