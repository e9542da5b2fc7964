"""Where the rows stand in JSON that others made. Pure functions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from exchange.text.fold import plain_name

# What parts of published sets are called, from a name's beginning.
_PARTS = {
    "train": re.compile(r"train", re.I),
    "valid": re.compile(r"val(id|\b|[-_.])|dev(elopment)?\b|dev[-_.]", re.I),
    "test": re.compile(r"test|unseen|eval(uation)?\b|held[-_ ]?out", re.I),
}
_HOLDS = (list, dict)
_ROW, _ROWS = "row", ("rows", "data", "records", "items", "examples", "instances")
_POINTERS = ("questionid", "qid", "questionkey", "question", "q", "item", "itemid")  # to a question
_NAMES = ("id", "qid", "questionid", "key", "number", "nr")  # of a question
Fields = Callable[[Iterable[Any]], Mapping[str, tuple[str, ...]]]


def part_of(name: str) -> str:
    """The part of a set that a name says: train, valid, test; "" for none."""
    return next((part for part, begins in _PARTS.items() if begins.match(name.strip())), "")


class JsonLayout:
    """Finds the rows.

    Args:
        fields: which of our fields the keys of an object hold.
    """

    def __init__(self, fields: Fields) -> None:
        self._fields = fields

    def rows(self, loaded: Any, part: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
        """The rows of loaded JSON with the part that each stands in.

        Known are a list of objects; objects whose keys are parts (`{"train": [...]}`), columns
        (`{"question": [...], "answer": [...]}`), questions or the rows' names; a question with a
        list of its answers, also in a list beside it; what the Hub's viewer gives
        (`{"rows": [{"row": {...}}]}`); rows under one key.
        """
        if isinstance(loaded, list):
            for row in loaded:
                # What is no object becomes an empty one, which is refused with its place.
                inner = row if isinstance(row, dict) else {}
                yield from self._row(inner.get(_ROW, inner), part)
            return
        parts = {key: part_of(key) for key in loaded}
        official = [key for key, said in parts.items() if said and isinstance(loaded[key], _HOLDS)]
        if official:
            for key in official:
                yield from self.rows(loaded[key], parts[key])
            return
        known = self._fields(loaded)
        if {"question", "answer"} <= known.keys() and (rows := _transposed(loaded)):
            yield from self.rows(rows, part)
            return
        lists = {key: held for key, held in loaded.items() if _objects(held)}
        if joined := self._joined(lists) or self._by_question(lists):
            yield from self.rows(joined, part)
            return
        named = next((key for key in _ROWS if key in lists), None)
        if "question" not in known and (named or len(lists) == 1):
            yield from self.rows(loaded[named or next(iter(lists))], part)
        elif loaded and all(isinstance(held, dict) for held in loaded.values()):
            yield from self.rows(list(loaded.values()), part)
        else:
            yield from self._row(loaded, part)

    def _row(self, row: Any, part: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """A row, or of a question with a list of answers a row for each."""
        row = row if isinstance(row, dict) else {}
        for key, held in row.items():
            inner = self._fields(held[0]) if _objects(held) else {}
            if "answer" not in inner:
                continue
            outer = {name: value for name, value in row.items() if name != key}
            own = self._fields(outer)
            if (
                "question" not in own and "answer" in own
            ):  # {"text": the question, "answers": [...]}
                outer["question"] = outer.pop(own["answer"][0])
            for one in held:
                below = one if isinstance(one, dict) else {}
                yield part, {**{k: v for k, v in outer.items() if k != "id"}, **below}
            return
        yield part, row

    def _joined(self, lists: Mapping[str, list[Any]]) -> list[Any]:
        """Answers with the fields of the question that they point to; [] where none do."""
        asked = next(
            (rows for rows in lists.values() if self._holds(rows, "question", "answer")), None
        )
        said = next((rows for rows in lists.values() if self._points(rows)), None)
        if asked is None or said is None:
            return []
        by_name = {
            str(value): row
            for row in asked
            for key, value in row.items()
            if plain_name(str(key)) in _NAMES
        }
        found = []
        for row in said:
            own = next((key for key in row if plain_name(str(key)) in _POINTERS), None)
            question = by_name.get(str(row.get(own)), {})
            rest = {key: value for key, value in row.items() if key != own or not question}
            found.append({**{k: v for k, v in question.items() if k != "id"}, **rest})
        return found

    def _by_question(self, lists: Mapping[str, list[Any]]) -> list[Any]:
        """Rows of `{"the question": [{"answer": ...}]}`; [] where it is none."""
        bare = [rows for rows in lists.values() if self._holds(rows, "answer", "question")]
        if len(bare) != len(lists) or not bare or any(len(key.split()) < 2 for key in lists):
            return []
        return [{"question": key, **row} for key, rows in lists.items() for row in rows]

    def _holds(self, rows: list[Any], one: str, not_other: str) -> bool:
        fields = self._fields(rows[0])
        return (
            all(isinstance(row, dict) for row in rows) and one in fields and not_other not in fields
        )

    def _points(self, rows: list[Any]) -> bool:
        keys = {plain_name(str(key)) for key in rows[0]}
        named = all(isinstance(row, dict) for row in rows)
        return named and "answer" in self._fields(rows[0]) and bool(keys & {*_POINTERS})


def _objects(held: Any) -> bool:
    return isinstance(held, list) and bool(held) and isinstance(held[0], dict)


def _transposed(columns: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of an object of columns; [] when it is none."""
    held = [
        list(column.values()) if isinstance(column, dict) else column for column in columns.values()
    ]
    if not all(isinstance(column, list) and len(column) == len(held[0]) for column in held):
        return []
    return [dict(zip(columns, row, strict=True)) for row in zip(*held, strict=True)]
