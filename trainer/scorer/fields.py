"""One record of somebody's file to one item: what its fields are called, and what stands in them.

Exports call the same seven things by many names, in their own language; the names stand in
`exchange/text/languages/*.toml`, and `--columns` comes before them. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from exchange.errors import UsageError
from exchange.records import digest
from exchange.settings import DEFAULT_LANGUAGE
from exchange.text.detect import language_code
from exchange.text.fold import fold
from exchange.text.language import language_names
from trainer.dataset.readers import FIELDS, BadLine, Columns, find_columns
from trainer.scorer.items import ScoreItem, ScoreScale, scale_of
from trainer.scorer.marks import MARK, read_maximum, read_score

UNKNOWN_SCALE = ScoreScale(0, 0)  # until all rows are read: the maximum may be the largest score
_DEPTH = 5  # of lists and objects in a rubric
_TEXT_INSIDE = ("text", "content", "value", "body")  # of a question or answer that is an object


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What holds for rows that do not say it themselves."""

    maximum: float = 0.0  # 0: the largest score of the files
    language: str = ""  # "": as their texts read
    columns: Mapping[str, str] = field(default_factory=dict)  # our field -> its heading
    question: str = ""
    guide: str = ""


def parse_columns(given: list[str] | None) -> dict[str, str]:
    """`answer=Their text` of a command line.

    Raises:
        UsageError: no such field of ours, or no heading behind it.
    """
    found = {}
    for one in given or []:
        ours, _, theirs = one.partition("=")
        if ours not in FIELDS or not theirs:
            raise UsageError(
                f"--columns {one}: write answer=HEADING; known are {', '.join(FIELDS)}"
            )
        found[ours] = theirs
    return found


def columns_of(record: Mapping[str, Any], options: ReadOptions) -> Columns:
    """The columns of a row, of which some may have been said."""
    return find_columns(tuple(map(str, record)), tuple(options.columns.items()))


def parse_item(
    record: Mapping[str, Any], options: ReadOptions | None = None, *, scored: bool = True
) -> ScoreItem:
    """One row as an item; its scale is still unknown when no maximum is.

    Args:
        scored: read its score; without, what stands there does not matter.

    Raises:
        BadLine: with the reason code: `no_question`, `no_answer`, `nul`, `surrogate`, `bad_score`,
            `bad_maximum`, `bad_language`, `negative_score`, `score_above_maximum`,
            `extra_columns`.
    """
    options = options or ReadOptions()
    if None in record:  # what stands behind the last heading
        raise BadLine("extra_columns")
    record = _lifted(record)
    columns = columns_of(record, options)

    def values(ours: str) -> list[Any]:
        held = (record.get(name) for name in columns.fields.get(ours, ()))
        return [value for value in held if value is not None]

    question = _line(next(iter(values("question")), "")) or options.question
    guides = dict.fromkeys(filter(None, (_text(value) for value in values("guide"))))
    guide = "\n".join(guides) or options.guide
    if not question:
        raise BadLine("no_question")
    answer = _answer(values("answer"))
    for text in (question, guide, answer):
        _check(text)
    most = read_maximum(values("maximum")) or columns.maximum or options.maximum
    score, most = read_score(values("score"), most) if scored else (None, most)
    language = _language(values("language")) or options.language or DEFAULT_LANGUAGE
    name = row_id(record, options) or digest(question, guide, answer, str(score), str(most))
    scale = scale_of(most) if most else UNKNOWN_SCALE
    return ScoreItem(name, question, guide, answer.strip(), scale, score, language)


def split_of(record: Mapping[str, Any], options: ReadOptions) -> str:
    """What a row says of the part that it belongs to, "" for nothing."""
    return _one_line(record, options, "split")


def row_id(record: Mapping[str, Any], options: ReadOptions) -> str:
    """What a row calls itself, "" for nothing."""
    return _one_line(record, options, "id")


def _one_line(record: Mapping[str, Any], options: ReadOptions, ours: str) -> str:
    held = columns_of(record, options).fields.get(ours, ())
    return _line(record.get(next(iter(held), "")))


def _lifted(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """A question or an answer that is an object gives its text, and its other fields to the row."""
    inner: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, Mapping) and find_columns((str(name),)).fields.keys() & {
            "question",
            "answer",
        }:
            text = next((key for key in _TEXT_INSIDE if key in value), None)
            if text is not None:
                inner |= {key: held for key, held in value.items() if key not in (text, "id")}
                inner[name] = value[text]
    return {**record, **inner} if inner else record


def _line(value: Any) -> str:
    plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # as spreadsheets give whole numbers
    return str(value).strip() if plain else ""


def _answer(values: list[Any]) -> str:
    """An empty one may well be scored; a number or a list is one too."""
    for value in values:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return str(value).lower()
        if text := _text(value):
            return text
    raise BadLine("no_answer")


def _text(value: Any, depth: int = 0) -> str:
    """A guide, which may be a list of points or an object of levels, as lines."""
    if isinstance(value, Mapping) and depth < _DEPTH:
        return "\n".join(filter(None, _points(value, depth)))
    if isinstance(value, list) and depth < _DEPTH:
        return "\n".join(filter(None, (_text(one, depth + 1) for one in value)))
    return _line(value)


def _points(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    """An object of levels line by line; one criterion with its points on one line."""
    texts = [text for held in value.values() if isinstance(held, str) and (text := _line(held))]
    numbers = [_line(held) for held in value.values() if not isinstance(held, str | list | Mapping)]
    worded = not any(MARK.fullmatch(str(name).strip()) for name in value)
    if depth and texts and worded:
        yield ": ".join(texts) + "".join(f" ({number})" for number in numbers if number)
        value = {name: held for name, held in value.items() if isinstance(held, list | Mapping)}
    for name, held in value.items():
        if text := _text(held, depth + 1):
            yield f"{name}: {text}" if "\n" not in text else f"{name}:\n{text}"


def _language(values: list[Any]) -> str:
    """A code ("EL", "en-US") or an English name ("Hungarian")."""
    told = next((_line(one) for one in values if one != ""), "")
    if not told:
        return ""
    code = language_code(told)
    named = {fold(name): code for code, name in language_names().items()}
    found = code if len(code) == 2 or code in language_names() else named.get(fold(told), "")
    if not found:
        raise BadLine("bad_language")
    return found


def _check(text: str) -> None:
    """Refuse what no tokenizer and no file could take."""
    if "\0" in text:
        raise BadLine("nul")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadLine("surrogate") from None
