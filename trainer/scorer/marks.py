"""Marks as people write them: 2.5, "2,5", "2/5", "50 %", "3 points", "correct". Pure functions."""

from __future__ import annotations

import math
import re
from typing import Any

from exchange.text.fold import fold, plain_name
from exchange.text.language import every
from trainer.dataset.readers import NUMBER, BadLine

MOST = 10_000.0  # points; more is a number that got into the wrong column
MARK = re.compile(rf"({NUMBER})\s*(?:/\s*({NUMBER})|(%))?\s*([^\W\d_]+)?\.?")
_RANGE = re.compile(rf"(?:0\s*[-–—]\s*)?({NUMBER})\s*([^\W\d_]+)?\.?")


def read_score(values: list[Any], most: float) -> tuple[float | None, float]:
    """A mark as it was written, None for none, and the maximum: "2/5" and "50 %" tell theirs.

    Args:
        most: the maximum that is known otherwise, 0 for none.

    Raises:
        BadLine: `bad_score`, `bad_maximum`, `negative_score`, `score_above_maximum`.
    """
    value = next((one for one in values if one != ""), None)
    if value is None:
        return None, most
    if isinstance(value, str) and (share := _worded(value)) is not None:
        return share * (most or 1.0), most or 1.0
    number, of, percent = _number(value, "score")
    if percent:
        most = most or 100.0
        number *= most / 100
    elif of:
        if of <= 0 or (most and not math.isclose(of, most)):
            raise BadLine("bad_maximum")
        most = of
    if number < 0:
        raise BadLine("negative_score")
    if most and number > most:
        raise BadLine("score_above_maximum")
    return number, most


def read_maximum(values: list[Any]) -> float:
    """The first maximum that is said, 0 for none; "0-5" is one of 5.

    Raises:
        BadLine: `bad_maximum`.
    """
    value = next((one for one in values if one != ""), None)
    if value is None:
        return 0.0
    if isinstance(value, str) and (told := _RANGE.fullmatch(value.strip())):
        value = told[1]
    number, _, percent = _number(value, "maximum")
    if number <= 0 or percent:
        raise BadLine("bad_maximum")
    return number


def _number(value: Any, what: str) -> tuple[float, float, bool]:
    """The number of a mark, what it is out of (0: not said), and whether it is a percentage.

    Raises:
        BadLine: none of these, `bad_score` or `bad_maximum`.
    """
    number = math.nan
    of, percent = 0.0, False
    if isinstance(value, str):
        told = MARK.fullmatch(value.strip())
        if told and (not told[4] or _is_unit(told[4])):
            number = float(told[1].replace(",", "."))
            of = float((told[2] or "0").replace(",", "."))
            percent = bool(told[3])
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    if not math.isfinite(number) or max(abs(number), of) > MOST:
        raise BadLine(f"bad_{what}")
    return number, of, percent


def _worded(value: str) -> float | None:
    """The share of the maximum that a word stands for; None for no such word."""
    word = fold(value).replace(" ", "_")
    shares = {"right_marks": 1.0, "half_marks": 0.5, "wrong_marks": 0.0}
    return next((share for name, share in shares.items() if word in every().words(name)), None)


def _is_unit(word: str) -> bool:
    """Whether a word behind a number is what marks are counted in."""
    names = map(plain_name, every().columns["score"])
    return every().units.get(fold(word)) == "points" or plain_name(word) in names
