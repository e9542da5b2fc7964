"""What differs between languages, from `languages/*.toml`; the rules themselves hold none of it.

A newspaper's texts hold words of other languages, and a question may be typed in any of them, so
most rules ask for `every()`: the lists of all languages joined.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "languages"
OTHER = "xx"  # stands for every language that has no file
# Tables whose keys are what the words of a line mean.
_LINES = frozenset({"numbers", "multipliers", "ordinals", "units", "days"})
_GROUP = re.compile(r"\((?!\?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """The lists of one language, by name; a name that no file has is a `KeyError`."""

    code: str  # ISO 639
    english_name: str  # as a prompt in English says it
    stemmer: str  # of Snowball; "" for none
    decimal_mark: str  # "" where Unicode's data is asked, see `numbers`
    months: Mapping[str, int]  # by folded beginning
    number_words: Mapping[str, float]  # folded; "three", «δεκαπέντε», «μιάμιση»
    multipliers: Mapping[str, int]  # folded; behind a number: "million", «χιλιάδες»
    ordinals: Mapping[str, int]  # folded; "third"
    units: Mapping[str, str]  # what a folded word or sign behind a number measures
    days: Mapping[str, str]  # folded names of weekdays, Monday 0, in all their forms
    function_words: Mapping[str, frozenset[str]]  # folded, by the code of their language
    relative: Mapping[str, str]  # what folded words mean beside a day: "yesterday" is "day -1"
    genders: Mapping[str, int]  # of articles: masculine 1, feminine 2, neuter 4
    texts: Mapping[str, str]
    columns: Mapping[str, tuple[str, ...]]  # of tables, by the field that they hold
    _words: Mapping[str, frozenset[str]]
    _lists: Mapping[str, tuple[str, ...]]
    _patterns: Mapping[str, tuple[str, ...]]

    def words(self, name: str) -> frozenset[str]:
        """A set of words."""
        return self._words[name]

    def list_of(self, name: str) -> tuple[str, ...]:
        """Beginnings or other strings in their order."""
        return self._lists[name]

    def pattern(self, name: str) -> str:
        """Alternatives of a regular expression, to be put into a group where others follow."""
        return "|".join(self._patterns[name])


@cache
def load_language(code: str) -> Language:
    """The language of a code, or what stands for any other."""
    other = _read(OTHER)
    raw = _read(code) if has_rules(code) else other
    name = other["names"].get(code, f'the language with the code "{code}"')
    return _language(code, name, raw["stemmer"], raw["decimal_mark"], (raw,))


@cache
def language_names() -> Mapping[str, str]:
    """The English name of each language that has one here, by its code."""
    names: dict[str, str] = _read(OTHER)["names"]
    return names


@cache
def _read(code: str) -> dict[str, Any]:
    """The file of a language; a process that asks for one mostly asks for `every()`, too."""
    return tomllib.loads((FOLDER / f"{code}.toml").read_text("utf-8"))


def compile_phrases(alternatives: str) -> re.Pattern[str]:
    """A pattern of phrases, each from a word's beginning, for `" " + line` of folded words.

    To look for a blank, and behind it for the first letter of what is not captured, takes a
    fifth of the time of trying each alternative at each letter.
    """
    return re.compile(f" (?:{_GROUP.sub('(?:', alternatives)})")


def word_test(alternatives: str) -> Callable[[str], bool]:
    """Whether a folded word begins with one of these; remembered, since words recur."""
    match = re.compile(alternatives).match
    return lru_cache(maxsize=1 << 16)(lambda folded: match(folded) is not None)


def texts_in(code: str) -> Mapping[str, str]:
    """The texts of a language, in English where it has none."""
    return load_language(code).texts or load_language("en").texts


def has_rules(code: str) -> bool:
    """Whether a language has lists of its own; rules that need some are off in all others."""
    return code != OTHER and (FOLDER / f"{code}.toml").exists()


@cache
def every() -> Language:
    """All languages at once: sets and lists joined, Greek before English."""
    codes = sorted(path.stem for path in FOLDER.glob("*.toml"))
    return _language("", "", "", ".", list(map(_read, codes)))


def _language(code: str, name: str, stemmer: str, mark: str, raws: Any) -> Language:
    def joined(*tables: str) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        for raw in raws:
            for table in tables:
                for name, value in raw.get(table, {}).items():
                    items = value.split() if isinstance(value, str) else value
                    found[name] = found.get(name, ()) + tuple(items)
        return found

    def mapping(table: str) -> dict[str, Any]:
        """Lines of words are joined; of anything else the first language's holds."""
        found: dict[str, Any] = {}
        for raw in reversed(raws):
            for key, value in raw.get(table, {}).items():
                lines = table in _LINES and key in found
                found[key] = f"{value} {found[key]}" if lines else value
        return found

    def turned(table: str) -> dict[str, Any]:
        """By each word of a line, since many words are forms of one number."""
        return {word: key for key, line in mapping(table).items() for word in line.split()}

    def numbered(table: str) -> dict[str, int]:
        return {word: int(key) for word, key in turned(table).items()}

    return Language(
        code=code,
        english_name=name,
        stemmer=stemmer,
        decimal_mark=mark,
        months=mapping("months"),
        number_words={
            word: float(key) if "." in key else int(key) for word, key in turned("numbers").items()
        },
        multipliers=numbered("multipliers"),
        ordinals=numbered("ordinals"),
        units=turned("units"),
        days=mapping("days"),
        function_words={
            code: frozenset(line.split()) for code, line in mapping("function_words").items()
        },
        relative={
            words: key
            for raw in raws
            for key, phrases in raw.get("relative", {}).items()
            for words in phrases
        },
        genders=mapping("genders"),
        texts=mapping("texts"),
        columns=joined("columns"),
        _words={name: frozenset(items) for name, items in joined("words").items()},
        _lists=joined("beginnings", "lists"),
        _patterns=joined("patterns"),
    )
