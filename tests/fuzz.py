"""A fuzzer over what reads foreign bytes: no exception but ours, and time that grows with size.

    python -m tests.fuzz --minutes 20              # all targets in turn
    python -m tests.fuzz --minutes 5 dates parse   # these alone

It prints each failure with the smallest input that hypothesis finds for it, and ends with one line
of JSON: inputs tried, minutes, failures. `tests/test_fuzz.py` runs each target for a moment, and
keeps every input that was found, with what is right for it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from crawler import profiles
from crawler.addresses import joined
from crawler.discovery import parts
from crawler.discovery.links import canonical_of, extract_links, frames_of
from crawler.discovery.sitemaps import ListReader, NotXmlError, sitemaps_in_robots, timestamp_of
from crawler.extract.charset import as_utf8, clean, decode
from crawler.extract.page import PageReader, StoredPage
from crawler.fetch.block_pages import is_block_page
from crawler.fetch.redirects import refresh_target
from crawler.fetch.response import looks_like_page, mended_head
from crawler.fetch.robots import RobotsRules, interpret
from crawler.optout import signals
from crawler.profile import Profile
from crawler.records import PageClaim
from crawler.scope import CrawlScope
from crawler.visible_text import visible_text
from exchange.errors import BadRecord, UsageError
from exchange.records import Chunk, Completion, Pair, Record, Result, Story, Task
from exchange.settings import Config
from exchange.text import dates
from exchange.text.sentences import split_sentences
from exchange.text.tokens import TokenizedText
from kkoracle.settings import TABLES, settings_model
from workers import parse

BASE_S = 1.0  # CPU seconds that any input may take: the first ones build what is cached
LONGEST = 40_000  # bytes of an input that is said over and over
TIMES = (2, 30, 1000, 3000, LONGEST)  # that a piece is said
BATCH = 200  # inputs between two looks at the clock
LANGUAGES = ("", "el", "en", "de", "fr", "ru", "ja", "ko", "th", "ar", "zz", "en-GB")


class TooSlow(Exception):
    """An input took longer than its size allows."""


@dataclass(frozen=True)
class Target:
    """What is fuzzed.

    Args:
        marks: pieces that mean something to the code, between "¦"; inputs are made of these and
            of noise.
        samples: whole inputs that are cut and altered.
        call: reads one input.
        refusals: what it may raise.
        per_byte_s: CPU seconds that each byte may cost.
    """

    name: str
    marks: str
    samples: tuple[str, ...]
    call: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = ()
    per_byte_s: float = 10e-6

    def run(self, body: bytes) -> None:
        """Read one input.

        Raises:
            TooSlow: it took more CPU time than its size allows, twice: a first call imports.
            Exception: whatever the code should not have raised.
        """
        allowed = BASE_S + len(body) * self.per_byte_s
        with contextlib.suppress(*self.refusals):
            try:
                with cpu_limit(allowed):
                    self.call(body)
            except TooSlow:
                with cpu_limit(allowed):
                    self.call(body)


@contextlib.contextmanager
def cpu_limit(seconds: float) -> Iterator[None]:
    """Raise `TooSlow` in the block once this process has used so much CPU time."""

    def stop(*_: object) -> None:
        raise TooSlow(f"more than {seconds:.2f} s of CPU time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    """Marks between noise, with a part said over and over; samples altered; other charsets."""
    marks = st.sampled_from([mark.encode() for mark in target.marks.split("¦")])
    piece = st.one_of(marks, marks, _NOISE)
    line = st.lists(piece, max_size=12).map(b"".join)
    # Said again and again, a piece shows what grows faster than its input.
    unit = st.lists(piece, min_size=1, max_size=4).map(b"".join)
    ways = [line, st.tuples(line, unit, st.sampled_from(TIMES), line).map(_repeated)]
    if target.samples:
        sample = st.sampled_from([text.encode() for text in target.samples])
        change = st.tuples(st.floats(0, 1), st.integers(0, 40), st.one_of(piece, unit))
        ways.append(st.tuples(sample, st.lists(change, max_size=6)).map(_altered))
    whole = st.one_of(ways)
    return st.one_of(whole, whole, st.tuples(whole, st.sampled_from(_CODECS)).map(_recoded))


_CODECS = ("utf-16", "utf-16-be", "cp1253", "iso8859-7", "shift_jis", "gb18030", "iso2022_jp")
_NOISE = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.text("0123456789-/.:, ", max_size=12).map(str.encode),
    st.sampled_from([b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n", b"\n", b" ", b"\xed\xa0\x80"]),
    st.sampled_from([b"9" * 400, b"9" * 5000]),
    st.sampled_from([one.encode() for one in "٣²Ⅷ\u2028İß\u202e𝟙\x85"]),
)


def _repeated(told: tuple[bytes, bytes, int, bytes]) -> bytes:
    before, unit, times, behind = told
    return before + unit * min(times, LONGEST // max(1, len(unit))) + behind


def _altered(told: tuple[bytes, list[tuple[float, int, bytes]]]) -> bytes:
    body, changes = told
    for at, cut, piece in changes:
        place = int(at * len(body))
        body = body[:place] + piece + body[place + cut :]
    return body


def _recoded(told: tuple[bytes, str]) -> bytes:
    return told[0].decode("utf-8", "replace").encode(told[1], "replace")


# What is called.


@cache
def _site() -> CrawlScope:
    return CrawlScope(profiles.parse(PROFILE, "fuzz"))


@cache
def _reader(name: str) -> PageReader:
    return PageReader(_profile(name), "paper")


@cache
def _profile(name: str) -> Profile:
    text = PROFILE if name == "fuzz" else GENERIC
    return profiles.parse(text, name)


URL = "http://paper.example/story/1"
CLAIM = PageClaim(1, "story:1", "/story/1", "story", "2001-02-03", 0)
PROFILE = """
name = "Paper"
base = "http://paper.example"
start = ["/"]
feeds = ["/feed"]
block_marks = ['are you (?:a|an) robot']
teasers = ['p\\. \\d+$']
[[ranges]]
url = "/list?day={yyyy}-{mm}-{dd}"
since = 2001-01-01
[kinds.list]
role = "index"
path = '/list'
key = ["day"]
date = "day"
words = '(\\d+) words'
section = '\\[(\\w+)\\]'
[kinds.story]
role = "story"
path = '/story/(?P<id>\\d+)'
key = ["id"]
url = "/story/{id}"
[[shapes]]
name = "plain"
text = '//div[@class="text"]'
title = '//h1'
date = { xpath = '//time', match = '(\\d+ \\w+ \\d{4})' }
[leave_out]
sections = ["Sport"]
titles = ['^TV']
[chunk]
size = 400
[months]
brumaire = 11
"""
GENERIC = """
name = "Archive"
base = "http://paper.example"
start = [""]
[kinds.story]
role = "both"
path = '.*'
"""
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8">
<title>The bridge | Paper</title>
<link rel="canonical" href="/story/1"><link rel=next href="/story/1?page=2">
<meta property="article:published_time" content="2001-02-03T10:00:00Z">
<script type="application/ld+json">{"@type":"NewsArticle","headline":"The bridge","author":
{"name":"Ann Bell"},"datePublished":"2001-02-03"}</script></head><body><nav><a href="/list?day=
2001-02-03">3 February</a> <b>[Town]</b> 412 words</nav><h1>The bridge</h1><p class="by">By Ann
Bell</p><time>3 February 2001</time><div class="text"><p>The mayor opened the bridge on 3 May 2001.
It had cost 240,000 and took fourteen months.</p><p>Boats could not pass for a week.</p><p>Nobody
had asked the ferrymen, who lost their trade that spring.</p></div><iframe src="/frame"></iframe>
</body></html>"""


def _decode(body: bytes) -> None:
    pick = len(body)
    language = LANGUAGES[pick % len(LANGUAGES)]
    label = ("", "utf-8", "iso-8859-7", "windows-1253", "utf-16", "nonsense", "\0")[pick % 7]
    text = decode(body, label, ("announced", "greek", "windows-1252")[pick % 3], language)
    clean(text).encode()
    as_utf8(body, label, "announced", language).decode()


def _fetched(body: bytes) -> None:
    """What is asked of a page in the daemon's own process."""
    site = _site()
    looks_like_page(body)
    mended_head(body[:65_536])
    is_block_page(body, "", [])
    visible_text(body)
    refresh_target(body, URL)
    canonical_of(CLAIM, body, URL, site)
    frames_of(CLAIM, body, URL, site)
    parts.next_part(CLAIM, body, URL, site, ("", "announced", ""))
    for link in extract_links(as_utf8(body), URL, site, "list", "2001-02-03", body):
        link.url.encode()
        assert link.words is None or link.words < 2**63


def _page(body: bytes) -> None:
    for name in ("fuzz", "generic"):
        read = _reader(name).read(StoredPage("story:1", URL, "story", "", None, "", body))
        for story, chunks in read.stories:
            Story.from_json(story.to_json())
            for chunk in chunks:
                Chunk.from_json(chunk.packed().record)


def _robots(body: bytes) -> None:
    text = interpret(200, body).rules or ""
    rules = RobotsRules(text)
    rules.allows(URL)
    assert 0 <= rules.delay <= 86_400
    assert 0 <= rules.opens_in(1e9) <= 86_400
    assert 0 <= rules.open_share <= 1
    sitemaps_in_robots(text)
    signals.from_robots(text, [URL])
    signals.from_tdmrep(body, URL)


def _sitemap(body: bytes) -> None:
    for entry in ListReader(body):
        assert entry.url
        timestamp_of(entry.changed)
        _site().classify(joined(URL, entry.url))


def _dates(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    for language in ("", LANGUAGES[len(body) % len(LANGUAGES)]):
        if iso := dates.parse_date(text, {"brumaire": 11}, language):
            assert dates.format_date(iso, language)
        dates.numeric_dates(text, language)
    dates.find_dates(text)


def _texts(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    language = LANGUAGES[len(body) % len(LANGUAGES)]
    assert "".join("".join(split_sentences(text, language)).split()) == "".join(text.split())
    told = TokenizedText(text, language)
    told.numbers_held, told.dates, told.names, told.said  # noqa: B018


def _address(body: bytes) -> None:
    text = body.decode("utf-8", "replace")
    site = _site()
    for url in (text, "/story/" + text, "/list?day=" + text, "http://" + text):
        site.in_scope(url)
        site.kind_without_key(url, URL)
        if (link := site.classify(url, URL)) is not None:
            assert link.url.encode("ascii")


def _parse(body: bytes) -> None:
    text = body.decode("utf-8", "surrogateescape" if len(body) % 2 else "replace")
    for draft in (*parse.parse(text), *parse.parse(text, chopped=True)):
        assert draft.question and draft.answer
        parse.trails(draft.answer)
    parse.parse_questions(text)
    parse.parse_answer(text)


def _record(body: bytes) -> None:
    kinds: tuple[type[Record], ...] = (Task, Result, Story, Chunk, Pair, Completion)
    refused = 0
    for kind in kinds:
        try:
            kind.from_json(kind.from_json(body).to_json())
        except BadRecord as error:
            refused += 1
            assert "\n" not in str(error)
    if refused == len(kinds):
        raise BadRecord("none of them")


def _profile_file(body: bytes) -> None:
    made = profiles.parse(body.decode("utf-8", "replace"), "fuzz")
    CrawlScope(made).classify("/story/1?day=2001-02-03")


def _settings(body: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kkoracle.toml")
        path.write_bytes(body)
        config = Config.find(path, {"KKORACLE_CRAWL_DELAY": body[:8].decode("latin-1")})
        config.check_tables(list(TABLES))
        for table in TABLES:
            config.table(table, settings_model(table))


_JSON = '{¦}¦[¦]¦"¦:¦,¦null¦1e999¦-0¦\\u0000¦\\ud800¦true'
_TOML = '[¦]¦[[¦]]¦{¦}¦=¦\n¦"¦\'¦"""¦1979-05-27¦inf¦1_0¦#¦'
_TASK = {
    "id": "a" * 24,
    "archive": "paper",
    "kind": "rephrase",
    "chunk_ids": ["c1"],
    "recipe": "abcdef",
    "text": "t",
    "header": "h",
    "given": {"question": "q?"},
}
_RESULT = {"task_id": "a" * 24, "archive": "paper", "failed": "no-pair", "pairs": []}

TARGETS = (
    Target(
        "decode",
        "<meta charset=¦utf-16¦utf-7¦x-user-defined¦\"¦'>¦\x1b$¦<script¦Ά",
        (PAGE,),
        _decode,
    ),
    Target(
        "fetched",
        '<¦>¦<script¦</script¦<!--¦-->¦<meta http-equiv=refresh content=¦0;url=¦href="¦"¦ words'
        "¦<a href=/story/¦?page=2¦<link rel=canonical¦<frame src=¦rel=next¦<title>¦</title¦\n¦<p¦1"
        "¦HTTP/1.1 200 OK\r\n¦Content-Length: ",
        (PAGE,),
        _fetched,
        per_byte_s=30e-6,
    ),
    Target(
        "page",
        "<div class=text>¦</div>¦<p>¦<br>¦<td>¦<h1>¦&#¦;¦&amp¦word ¦Α. ¦<![CDATA[¦]]>¦}"
        '¦<script type=application/ld+json>¦{"@type":"Article",¦</script>¦<meta ¦<time datetime='
        "¦property=og:title content=",
        (PAGE,),
        _page,
        per_byte_s=300e-6,
    ),
    Target(
        "robots",
        "User-agent: *\n¦User-agent: kkoracle\n¦Disallow: /¦Allow: ¦*¦$¦\n¦ms¦m¦.¦%¦&lt;¦#¦<pre>"
        "¦Crawl-delay: ¦Request-rate: 1/¦Visit-time: 0600-0845¦Sitemap: ¦Content-Signal: ai-train"
        '¦[{"location":"¦"}]',
        ("User-agent: *\nCrawl-delay: 2 min\nRequest-rate: 1/5\nDisallow: /a*b$\nVisit-time: 2-5",),
        _robots,
        per_byte_s=30e-6,
    ),
    Target(
        "sitemaps",
        "<url>¦</url>¦<loc>¦</loc>¦<sitemap>¦<item>¦<link>¦<guid>¦<?xml ¦?>¦encoding='¦<!DOCTYPE¦["
        "¦]>¦<![CDATA[¦]]>¦&¦;¦<¦http://¦<pubDate>¦xml:base='¦<lastmod>¦http://p/\n¦<!--"
        "¦<news:publication_date>",
        (
            "<?xml version='1.0'?><urlset><url><loc>http://paper.example/story/1</loc>"
            "<lastmod>2001-02-03</lastmod></url></urlset>",
            "<rss><channel><item><link>/story/1</link><pubDate>Sat, 03 Feb 2001 10:00:00 GMT"
            "</pubDate></item></channel></rss>",
            "<feed xml:base='http://[::1'><entry><link href='../x'/></entry></feed>",
        ),
        _sitemap,
        (NotXmlError,),
        per_byte_s=60e-6,
    ),
    Target(
        "dates",
        "2001-02-03¦3/5/2004¦3 May 2004¦May 3, ¦Γενάρη¦του ¦年¦月¦日¦20040503¦1e9¦inf¦nan¦-¦ – "
        "¦Κυριακή ¦T10:00:00Z¦GMT¦2560¦brumaire¦st¦a",
        ("Sat, 03 Feb 2001 10:00:00 GMT", "8 Απρίλη - Κυριακή 9 Απρίλη 2017", "1.000.000.000"),
        _dates,
        per_byte_s=60e-6,
    ),
    Target(
        "texts",
        ". ¦! ¦κ. ¦Dr. ¦3.5.2004¦240.000¦ εκατ.¦«¦»¦...¦Αθήνα ¦\n¦1¦twenty-¦one "
        "¦million ¦χιλιάδες ¦χίλια ¦$¦%¦ος ¦年¦。¦A.¦b¦٣¦U.S.",
        ("Ο κ. Α. Β. πλήρωσε 3,5 εκατ. ευρώ στις 3.5.2004. The U.S. paid twenty-one dollars.",),
        _texts,
        per_byte_s=100e-6,
    ),
    Target(
        "addresses",
        "http://¦paper.example¦/¦..¦?¦&¦day=¦%2f¦%¦#¦[¦]¦:¦@¦\\¦;jsessionid=¦/story/1¦:99999¦xn--"
        "¦ß¦%CE¦%E9¦//¦ ¦\t¦(S(a))",
        ("http://paper.example:80/story/01?utm_source=x&day=3/2/2001",),
        _address,
    ),
    Target(
        "parse",
        "Question: ¦Ερώτηση: ¦Answer: ¦Απάντηση: ¦Q1. ¦A: ¦**¦?¦;¦\n¦```¦<think>¦</think>¦1. ¦# "
        '¦{"question": "¦", "answer": "¦"}¦[¦{¦(Source:¦)¦---¦_¦- ¦|',
        (
            "Question: Who opened it?\nAnswer: The mayor.\n\n**2.** Q: When? A: 2001. (Source: a)",
            '[{"question": "Who?", "answer": "The mayor."}, {"q": "When?", "a": "2001"}]',
        ),
        _parse,
    ),
    Target(
        "records",
        _JSON,
        (json.dumps(_TASK), json.dumps(_RESULT)),
        _record,
        (BadRecord,),
    ),
    Target(
        "profile",
        _TOML + "name¦base¦[kinds.a]¦path = '(a+)+$'¦key¦(?P<id>¦[[shapes]]¦xpath¦//p[¦{yyyy}"
        "¦[months]¦9999-12-31¦size = ¦(?i)¦http://[",
        (PROFILE,),
        _profile_file,
        (UsageError,),
        per_byte_s=60e-6,
    ),
    Target(
        "settings",
        _TOML + "¦".join(f"[{name}]\n" for name in TABLES) + "¦delay¦data¦url¦tries¦language¦width"
        "¦profile¦since¦1h",
        ('data = "d"\narchive = "paper"\n[crawl]\ndelay = 2\nsince=2001-01-01\n[work]\nwidth=4',),
        _settings,
        (UsageError,),
        per_byte_s=60e-6,
    ),
)


@dataclass(frozen=True)
class Failure:
    """An input, as small as it was made, and what it raised."""

    target: str
    body: bytes
    error: Exception

    def __str__(self) -> str:
        long = len(self.body) > 160
        shown = f"{self.body[:80]!r} ... {self.body[-60:]!r}" if long else repr(self.body)
        what = f"{type(self.error).__name__}: {self.error}"
        return f"{self.target}: {what}\n  {len(self.body)} bytes: {shown}"


def fuzz(target: Target, examples: int) -> tuple[int, Failure | None]:
    """Try so many inputs; returns how many it were, and a failure if there was one."""
    tried = 0
    smallest: list[bytes] = []
    slow: list[tuple[bytes, TooSlow]] = []  # not made smaller: that takes as long again each time

    @hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
    )
    @hypothesis.given(inputs(target))
    def try_one(body: bytes) -> None:
        nonlocal tried
        if slow:
            return
        tried += 1
        try:
            target.run(body)
        except TooSlow as error:
            slow.append((body, error))
        except Exception:
            smallest.append(body)
            raise

    try:
        try_one()
    except Exception as error:
        return tried, Failure(target.name, min(smallest, key=len), error)
    return tried, Failure(target.name, *slow[0]) if slow else None


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(description="Fuzz what reads foreign bytes.")
    options.add_argument("targets", nargs="*", help=", ".join(one.name for one in TARGETS))
    options.add_argument("--minutes", type=float, default=20)
    options.add_argument("--keep", type=Path, help="folder for the inputs that failed")
    told = options.parse_args(arguments)
    chosen = [one for one in TARGETS if not told.targets or one.name in told.targets]
    started = time.monotonic()
    counts: dict[str, int] = {}
    failures: list[Failure] = []
    for target in chosen:
        ends = time.monotonic() + told.minutes * 60 / len(chosen)
        while time.monotonic() < ends:
            tried, failure = fuzz(target, BATCH)
            counts[target.name] = counts.get(target.name, 0) + tried
            if failure:
                failures.append(failure)
                print(failure, flush=True)
                if told.keep:
                    told.keep.mkdir(parents=True, exist_ok=True)
                    (told.keep / f"{target.name}-{len(failures)}").write_bytes(failure.body)
        print(f"{target.name}: {counts[target.name]:,} inputs", file=sys.stderr, flush=True)
    minutes = round((time.monotonic() - started) / 60, 1)
    figures: dict[str, Any] = {"inputs": counts, "minutes": minutes, "failures": len(failures)}
    print(json.dumps(figures | {"tried": sum(counts.values())}))
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
