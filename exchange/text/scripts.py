"""What a text's letters tell: how many words it has, and in which languages it may be written.

Chinese, Japanese, Thai and their neighbours write without blanks between words, so words are
counted by script: there a number of letters stands for a word.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

QUESTION_MARKS = (";", "?", "？", "؟", "՞", "፧")  # of all scripts; the first is Greek
FULL_STOPS = (".", "!", "…", "。", "！", "．", "।", "॥", "۔", "։", "።", "။", "។")
_IDEOGRAPHS = (
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\uff66-\uff9f\U00020000-\U000323af"
)
_SYLLABLES = "\u0e00-\u0eff\u0f40-\u0fbc\u1000-\u109f\u1780-\u17d3"
# Letters of a word in running text, rounded. Chinese has fewer than two and Japanese a little more,
# Thai and its neighbours about five with their marks: a bound on length needs no more than that.
_LETTERS_PER_WORD = ((re.compile(f"[{_IDEOGRAPHS}]"), 2), (re.compile(f"[{_SYLLABLES}]"), 5))
_WITHOUT_BLANKS = re.compile(f"[{_IDEOGRAPHS}{_SYLLABLES}]+")
_LETTER_RUN = re.compile(r"[^\W\d_]+")
_SCRIPT_SAMPLE = 4000  # characters of a text are enough to tell its script


def count_words(text: str) -> int:
    """How many words a reader would count.

    >>> count_words("Το πλοίο έφυγε"), count_words("船は朝に港を出た。")
    (3, 4)
    """
    if _WITHOUT_BLANKS.search(text) is None:
        return len(text.split())
    apart = sum(any(map(str.isalnum, word)) for word in _WITHOUT_BLANKS.sub(" ", text).split())
    return apart + sum(
        -(-len(pattern.findall(text)) // letters) for pattern, letters in _LETTERS_PER_WORD
    )


def has_words(text: str, least: int) -> bool:
    """Whether a text has so many words; most do, and then few of them are looked at."""
    return len(text.split(None, least)) >= least or count_words(text) >= least


def writes_without_blanks(text: str) -> bool:
    """Whether most letters are of a script that puts no blanks between words."""
    runs = _WITHOUT_BLANKS.findall(text)
    return bool(runs) and 2 * sum(map(len, runs)) > sum(map(len, _LETTER_RUN.findall(text)))


def letter_pairs(text: str) -> frozenset[str]:
    """Neighbouring letters: what can be compared where nobody sees the words."""
    runs = _LETTER_RUN.findall(text)
    return frozenset(run[at : at + 2] for run in runs for at in range(len(run) - 1))


def has_capitals(text: str) -> bool:
    """Whether the text's script has capital letters; Arabic, Hindi, Chinese or Thai have none."""
    return text.upper() != text.lower()


def glue_after(text: str) -> str:
    """What stands between a sentence and the next one: nothing where letters are a square each."""
    return (
        ""
        if text and unicodedata.east_asian_width(text[-1]) in "WF" and not _is_hangul(text[-1])
        else " "
    )


def _is_hangul(letter: str) -> bool:
    return "\uac00" <= letter <= "\ud7a3"


def main_script(text: str) -> str:
    """The script of most letters by its Unicode name, such as "GREEK" or "LATIN"; "" without any.

    Japanese is "HIRAGANA" where a tenth of the letters are kana: its other letters are Chinese.
    """
    letters = [c for c in text[:_SCRIPT_SAMPLE] if c.isalpha()]
    if not letters:
        return ""
    found = Counter(unicodedata.name(c, "").partition(" ")[0] for c in letters)
    kana = found["HIRAGANA"] + found["KATAKANA"] + found["KATAKANA-HIRAGANA"]
    if kana >= 0.1 * len(letters):
        return "HIRAGANA"
    return found.most_common(1)[0][0]
