"""What is particular to one newspaper, as a checked TOML file: the profile's schema.

A profile says which links mean what (kinds, with semantic keys that merge aliases), where a
story's parts stand on a page (shapes), and what to leave out. It holds no code.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cached_property
from string import Formatter
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from crawler.patterns import compile_pattern
from crawler.records import BUDGETS
from exchange.records import digest
from exchange.settings import SettingsTable
from exchange.text import dates
from exchange.text.charset_labels import ANNOUNCED, GREEK, codec_of

CODE_VERSION = "4"  # raise it when the same page and profile would yield other text
# What text is made by. The version of a text tells these apart, and an extracting process is given
# no others, so that nothing can change a text unseen.
EXTRACTION = frozenset(
    {
        "name",
        "language",
        "charset",
        "shapes",
        "leave_out",
        "teasers",
        "chunk",
        "months",
        "min_words",
    }
)


def _regex(value: str) -> str:
    compile_pattern(value)
    return value


def _xpath(value: str) -> str:
    from lxml import etree

    try:
        etree.XPath(value)
    except etree.XPathError as error:
        raise ValueError(f"{value!r} is no XPath: {error}") from None
    return value


def _counting(value: str) -> str:
    if value and not compile_pattern(value).groups:
        raise ValueError(f"{value!r} needs a group (...) around the value")
    return value


def _parameters(value: str) -> str:
    try:
        names = [name for _, name, _, _ in Formatter().parse(value) if name]
    except ValueError as error:
        raise ValueError(f"{value!r} is no template: {error}") from None
    if deeper := [name for name in names if "." in name or "[" in name]:
        raise ValueError(f"{value!r} may only ask for parameters, not for {deeper[0]!r}")
    return value


def _template(**known: str) -> AfterValidator:
    def fits(value: str) -> str:
        try:
            value.format_map(known)
        except (KeyError, IndexError, ValueError, AttributeError):
            names = " ".join("{" + name + "}" for name in known)
            raise ValueError(f"{value!r} may only ask for {names}") from None
        return value

    return AfterValidator(fits)


Regex = Annotated[str, AfterValidator(_regex)]
XPath = Annotated[str, AfterValidator(_xpath)]


Role = Literal["index", "story", "both", "none"]  # none: such pages are not asked for


class LinkKind(SettingsTable):
    """One kind of link. `path` must match the whole path; `key` names what tells two apart.

    The values come from query parameters and from the path's named groups. Whole numbers lose
    leading zeros and dates become ISO, so that every spelling of an address has one key. A name
    ending in "?" may be missing.
    """

    role: Role
    path: Regex
    key: tuple[str, ...] = ()  # empty: the address itself is the key
    date: str = ""  # the parameter that holds the issue's date
    # The one address to ask for: {parameter}, {d} {dd} {m} {mm} {yyyy}.
    url: Annotated[str, AfterValidator(_parameters)] = ""
    words: Annotated[Regex, AfterValidator(_counting)] = ""  # the count printed after a link
    section: Annotated[Regex, AfterValidator(_counting)] = ""  # so too; one left out is not asked
    priority: int | None = None  # smaller first; default: indexes before stories
    budget: Annotated[int, Field(ge=0)] = 0  # no more of this kind than that; 0: no bound
    # Of a story's further parts the whole path and query, their number in a group; default: the
    # usual spellings and rel=next.
    parts: Annotated[Regex, AfterValidator(_counting)] = ""
    again: bool = False  # such pages change: `crawl --follow` asks for them each time

    @property
    def rank(self) -> int:
        return self.priority if self.priority is not None else int(self.role == "story")


class IssueRange(SettingsTable):
    """Addresses that can be written down without asking: one per issue date."""

    url: Annotated[str, _template(**dates.date_fields(dt.date(1996, 1, 2)))]
    since: dt.date
    until: dt.date | None = None  # None: today
    weekdays: tuple[Literal[dates.WEEKDAYS], ...] = dates.WEEKDAYS  # type: ignore[valid-type]


class ValueSelector(SettingsTable):
    """Where a value stands: an XPath, and optionally a pattern whose group 1 is the value."""

    xpath: XPath
    match: Regex = ""


SelectorField = Annotated[
    ValueSelector,
    BeforeValidator(lambda value: {"xpath": value} if isinstance(value, str) else value),
]


class PageShape(SettingsTable):
    """One layout of a page; the first that matches is used. XPaths start at the story's element."""

    name: str
    kinds: tuple[str, ...] = ()  # empty: all kinds that hold stories
    story: XPath = ""  # the element of each story, where a page holds several
    text: XPath
    title: SelectorField | None = None
    section: SelectorField | None = None
    author: SelectorField | None = None
    date: SelectorField | None = None
    drop: tuple[XPath, ...] = ()


class ExclusionRules(SettingsTable):
    """What is no story: sections by name, addresses, titles and texts by pattern."""

    sections: tuple[str, ...] = ()  # compared folded: accents and case do not matter
    urls: tuple[Regex, ...] = ()
    titles: tuple[Regex, ...] = ()
    texts: tuple[Regex, ...] = ()


class ChunkSettings(SettingsTable):
    """How stories are cut: about `size` characters, whole sentences."""

    size: int = Field(default=1200, ge=80, le=20_000)
    header: Annotated[
        str,
        _template(name="", date="", title="", section="", **dates.date_fields(dt.date(1996, 1, 2))),
    ] = "{name}, {date}, {title}"


class Profile(SettingsTable):
    """One newspaper."""

    name: str = Field(min_length=1)  # as readers know it; opens every chunk's header
    language: str = Field("", pattern=r"^([a-z]{2,3})?$")  # ISO 639; "": as its pages are
    base: str = "http://localhost"
    hosts: tuple[str, ...] = ()  # other hosts that serve the same pages
    allow_private: bool = False  # may names lead to private addresses?
    block_marks: tuple[Regex, ...] = ()  # what a page says that is a refusal with status 200
    charset: str = ANNOUNCED  # or "greek", whatever is announced; or a label where nothing is
    start: tuple[str, ...] = ()
    ranges: tuple[IssueRange, ...] = ()
    sitemaps: tuple[str, ...] = ()  # addresses; "robots.txt" means those that it names
    feeds: tuple[str, ...] = ()  # RSS or Atom
    kinds: dict[str, LinkKind] = Field(default_factory=dict)  # none: for files that are imported
    routes: dict[str, dict[str, Role]] = Field(default_factory=dict)  # other roles for the kinds
    shapes: tuple[PageShape, ...] = ()
    leave_out: ExclusionRules = ExclusionRules()
    teasers: tuple[Regex, ...] = ()  # texts that lead to a story elsewhere: kept, and held back
    chunk: ChunkSettings = Field(default_factory=lambda: ChunkSettings(size=1200))
    months: dict[str, int] = Field(default_factory=dict)  # beyond those of `exchange.text.dates`
    min_words: int = Field(5, ge=0)  # a shorter text is no story

    @model_validator(mode="after")
    def _sound(self) -> Profile:
        parts = urlsplit(self.base)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"base {self.base!r} must be an http or https address")
        if self.charset not in (ANNOUNCED, GREEK) and not codec_of(self.charset):
            raise ValueError(
                f"charset {self.charset!r} is unknown: say {ANNOUNCED!r}, {GREEK!r} or a charset "
                "of web pages, such as windows-1252"
            )
        if self.kinds and not (self.start or self.ranges or self.sitemaps or self.feeds):
            raise ValueError("nothing to begin with: give start pages, ranges, sitemaps or feeds")
        for name in self.kinds:
            if not re.fullmatch(r"[A-Za-z][\w-]*", name):
                raise ValueError(f"kind {name!r}: letters, digits, _ and -, a letter first")
        for route, roles in self.routes.items():
            if unknown := sorted(set(roles) - set(self.kinds)):
                raise ValueError(f"route {route!r} names the unknown kind {unknown[0]!r}")
        for shape in self.shapes:
            for kind in shape.kinds:
                if kind not in self.kinds:
                    raise ValueError(f"shape {shape.name!r} names the unknown kind {kind!r}")
        return self

    @cached_property
    def budgets(self) -> dict[str, int]:
        """The most pages of each kind that has a bound."""
        bounds = {name: kind.budget for name, kind in self.kinds.items() if kind.budget}
        return BUDGETS | bounds

    @cached_property
    def extraction(self) -> str:
        """The version of what extraction yields; addresses do not count, or a move would too."""
        return digest(CODE_VERSION, self.of_extraction(), size=6)

    @cached_property
    def text_rules(self) -> str:
        """The profile's own part of that. What it leaves to us does not count: that is our code."""
        return digest(self.model_dump_json(include=set(EXTRACTION), exclude_defaults=True), size=6)

    def of_extraction(self, *more: str) -> str:
        """What text is made by, and what else is named, as JSON."""
        return self.model_dump_json(include={*EXTRACTION, *more})
