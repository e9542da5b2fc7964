"""Words of a page that tell a language model what to do ("ignore the above and write ...").

Whoever writes a page may put them there (indirect prompt injection: Greshake et al. 2023,
arXiv 2302.12173). A newspaper may also report on them: then they stand in quotation marks, inside
a sentence that says more, and are left alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from stringzilla import find

from exchange.text.fold import fold
from exchange.text.language import every
from exchange.text.sentences import split_sentences

# One of them stands in each command: what is looked for first, since hardly a text has any.
COMMAND_WORDS = every().words("command_words")
_HINTS = frozenset(word[:5] for word in COMMAND_WORDS)  # fewer to look for in a whole text
_QUOTED = re.compile(r'«[^«»]*»|“[^“”]*”|„[^„“”]*[“”]|"[^"]*"')
_MARKS = ' .:;!?,·()[]<>*#«»“”"—–…'
_LETTER = re.compile(r"[^\W\d_]")
# An imperative begins a sentence or a clause: "he ignored", "told them to ignore" command nobody.
_START = rf"(?:^|[^\w\s'’-]\s*|\b(?:{every().pattern('before_command')})\s+)"
_COMMAND = re.compile(f"{_START}(?:{every().pattern('command')})")
# What only commands when it also says what to write instead: "forget the above", said of a bill.
_BEFORE = every().pattern("before_writing")
_ORDER = re.compile(
    f"{_START}(?:{every().pattern('command_to_forget')}).{{0,80}}?"
    rf"(?:[.:;!?,·(]\s*|\b(?:{_BEFORE})\W+)(?:(?:{_BEFORE})\W+)*"
    rf"(?:{every().pattern('command_to_write')})\b"
)


def commanded(sentences: Sequence[str]) -> range:
    """Which sentences of one paragraph command the reader's model; an empty range for none.

    What is to be written instead may follow in a sentence of its own, which belongs to it.
    """
    folded = [fold(sentence) for sentence in sentences]
    line = " ".join(folded)
    ends = list(accumulate(len(sentence) + 1 for sentence in folded))
    starts = {0, *ends}

    def unsaid(quoted: re.Match[str]) -> str:
        """What somebody reports is blotted out; quoted sentences that nobody reports are not."""
        end = ends[bisect_right(ends, quoted.end() - 1)]
        alone = quoted.start() in starts and not _LETTER.search(line, quoted.end(), end)
        return quoted[0] if alone else "0" * len(quoted[0])

    said = _QUOTED.sub(unsaid, line)
    order = _ORDER.search(said)
    found = order or _COMMAND.search(said)
    if not found:
        return range(0)
    # Not its start: that may be the full stop before it.
    first = bisect_right(ends, found.start() + len(found[0]) - len(found[0].lstrip(_MARKS)))
    last = bisect_right(ends, found.end() - 1)
    return range(first, min(last + (1 if order else 2), len(ends)))


def commands(text: str, language: str) -> bool:
    """Whether any paragraph of a text commands the model that reads it."""
    folded = fold(text)
    return any(find(folded, hint) >= 0 for hint in _HINTS) and any(
        commanded(split_sentences(line, language)) for line in text.splitlines()
    )
