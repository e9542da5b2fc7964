from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lxml import html

from crawler import profiles
from crawler.extract.html import paragraphs, parse
from crawler.extract.page import PageReader, StoredPage
from crawler.extract.worker import unpack_profile
from crawler.records import ExtractionResult
from exchange.records import Chunk
from tests.crawler.harness import PROFILE


def read(body: str, profile: str = PROFILE, **changes: object) -> ExtractionResult:
    """Reads as the daemon's own process and as the one that was sent the profile: both alike."""
    values: dict = {
        "key": "story:1",
        "url": "http://x/story/1",
        "kind": "story",
        "issue": "",
        "words": None,
        "charset": "",
    } | changes
    page = StoredPage(**values, body=body.encode())
    checked = profiles.parse(profile, "test")
    found = PageReader(checked, "paper").read(page)
    assert (
        PageReader(unpack_profile(checked.of_extraction("base").encode()), "paper").read(page)
        == found
    )
    return found


def texts(fragment: str) -> list[str]:
    return paragraphs([parse(f"<div>{fragment}</div>")])


@pytest.mark.parametrize(
    ("fragment", "expected"),
    [
        ("<p>Ένα</p><p>Δύο</p>", ["Ένα", "Δύο"]),
        ("Ένα<br><br>Δύο<br>\n <BR/> <br>Τρία", ["Ένα", "Δύο", "Τρία"]),
        ("Ένα<br>ακόμα ένα", ["Ένα ακόμα ένα"]),
        ("<span class='dropcap'>Η</span> μέρα και <b>το</b>πος", ["Η μέρα και τοπος"]),
        ("<font size=6>Τ</font>ότε ήρθε.<br><br><font>Έφυγε</font>.", ["Τότε ήρθε.", "Έφυγε."]),
        ("Ένα<script>var x;</script><style>p{}</style> δύο<!-- όχι -->", ["Ένα δύο"]),
        ("πριν<div>μέσα<p>βαθιά</p>έξω</div>μετά", ["πριν", "μέσα", "βαθιά", "έξω", "μετά"]),
        ("<table><tr><td>α</td><td>β</td></tr></table>", ["α", "β"]),
        ("Τόμ&shy;ος &amp; α&nbsp;β &#150; γ &laquo;δ&raquo;", ["Τόμος & α β – γ «δ»"]),
        ("<p> \n </p>", []),
    ],
)
def test_paragraphs_are_those_a_reader_sees(fragment: str, expected: list[str]) -> None:
    assert texts(fragment) == expected


def test_pages_nested_deeper_than_the_stack_are_read() -> None:
    assert texts("<span>" * 1500 + "βαθιά") == ["βαθιά"]


def test_an_element_inside_another_chosen_one_counts_once() -> None:
    root = html.fromstring("<div><div class='t'><p>Ένα</p></div></div>")
    assert paragraphs(root.xpath(".//*[@class='t'] | .//p")) == ["Ένα"]


def test_a_story_has_title_date_and_text_of_its_shape() -> None:
    profile = PROFILE + "date = '//i'\nauthor = { xpath = '//b', match = 'Του (.+)' }\n"
    found = read(
        "<h1>Ο  τίτλος</h1><i>5 Γενάρη 1998</i><b>Του Α. Βήτα</b>"
        "<div class=text>Μία δύο τρεις τέσσερις πέντε.</div>",
        profile,
    )
    story, chunks = found.stories[0]
    assert (story.title, story.published, story.author) == ("Ο τίτλος", "1998-01-05", "Α. Βήτα")
    assert not story.low_confidence
    headers = [Chunk.from_json(chunk.record).header for chunk in chunks]
    assert headers == ["Δοκιμή, 5 Ιανουαρίου 1998, Ο τίτλος"]


def test_the_date_of_the_index_counts_before_the_pages() -> None:
    profile = PROFILE + "date = '//i'\n"
    found = read(
        "<i>5 Γενάρη 1998</i><div class=text>Μία δύο τρεις τέσσερις πέντε.</div>",
        profile,
        issue="1998-01-04",
    )
    assert found.stories[0][0].published == "1998-01-04"


def test_without_a_shape_the_text_is_found_and_marked() -> None:
    body = "".join(
        f"<p>Η {n}η παράγραφος έχει αρκετές λέξεις για να είναι κείμενο άρθρου.</p>"
        for n in range(8)
    )
    found = read(
        f"<html><head><title>Τίτλος</title></head><body><nav><a href=/>Αρχή</a></nav>"
        f"<article><h1>Τίτλος</h1>{body}</article></body></html>"
    )
    story, _ = found.stories[0]
    assert story.low_confidence
    assert story.title == "Τίτλος"
    assert story.text.count("\n\n") >= 7


LEAVE = """
[leave_out]
sections = ["Τηλεόραση"]
titles = ['^Σκάκι']
texts = ['ΣΕΛ\\. \\d+$']
"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            "<h2>ΤΗΛΕΟΡΑΣΗ</h2><div class=text>Μία δύο τρεις τέσσερις πέντε.</div>",
            "left-out-section",
        ),
        (
            "<h1>Σκάκι σήμερα</h1><div class=text>Μία δύο τρεις τέσσερις πέντε.</div>",
            "left-out-title",
        ),
        ("<h1>Ναι</h1><div class=text>Μία δύο τρεις τέσσερις ΣΕΛ. 16</div>", "left-out-text"),
        ("<h1>Ναι</h1><div class=text>Μία δύο.</div>", "too-short"),
        ("<p></p>", "no-text"),
        ("", "empty"),
        ("   ", "empty"),
    ],
)
def test_what_is_no_story_is_left_out_with_a_reason(body: str, reason: str) -> None:
    found = read(body, PROFILE + "section = '//h2'\n" + LEAVE)
    assert (found.outcome, found.stories) == (reason, ())


def test_several_stories_of_a_page_have_ids_of_their_own() -> None:
    profile = (
        PROFILE.replace('name = "plain"', 'name = "many"\nstory = "//section"')
        .replace("'//div[@class=\"text\"]'", "'.//p'")
        .replace("'//h1'", "'.//h1'")
    )
    one = "<section><h1>Α</h1><p>Μία δύο τρεις τέσσερις πέντε.</p></section>"
    two = one + "<section><h1>Β</h1><p>Έξι εφτά οχτώ εννιά δέκα.</p></section>"
    assert [s.title for s, _ in read(two, profile, words=9).stories] == ["Α", "Β"]
    ids = [s.id for s, _ in read(two, profile).stories]
    assert len(set(ids)) == 2
    assert read(one, profile).stories[0][0].id == ids[0]
    assert read(one, profile, words=9).stories[0][0].words_expected == 9


def test_an_extracting_process_loads_neither_the_checker_nor_the_network() -> None:
    script = (
        "import sys, crawler.extract.worker; "
        "print([m for m in ('pydantic', 'aiohttp') if m in sys.modules])"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert loaded.stdout.strip() == "[]"


def test_any_bytes_end_in_an_outcome() -> None:
    for body in (
        b"\x00\x01\x02",
        b"<" * 10_000,
        b"<p>" * 50_000,
        bytes(range(256)) * 100,
        b"<?xml version='1.0' encoding='utf-16'?><p>x</p>",
    ):
        page = StoredPage("k", "u", "story", "", None, "", body)
        assert PageReader(profiles.parse(PROFILE, "t"), "paper").read(page).outcome


def test_without_a_profile_no_paragraph_is_lost_that_trafilatura_finds() -> None:
    """Its fast mode is asked first, and what it answers is mended; no story loses by either."""
    from trafilatura import extract

    from crawler.extract.charset import clean, decode
    from crawler.extract.fallback import read_fallback
    from crawler.extract.html import parse
    from kkoracle.demo.newspaper import build_newspaper

    newspaper = build_newspaper(7, 60)
    printed = {clean(part) for story in newspaper.stories for part in story.paragraphs}
    compared = 0
    for url, page in newspaper.pages.items():
        if ("/story.do" not in url and "/page.do" not in url) or url.endswith("pageNo=1"):
            continue
        text = decode(page.body)
        wanted = clean(extract(text, include_comments=False, include_formatting=False) or "")
        found = read_fallback(text, parse(text), url, "el")
        ours = clean(" ".join(found.paragraphs if found else ()))
        assert [part for part in printed if part in wanted and part not in ours] == [], url
        compared += 1
    assert compared > 100


def test_pages_behind_one_that_hangs_are_given_to_the_next_process(tmp_path: Path) -> None:
    from crawler.extract.pool import ExtractionPool
    from crawler.frontier.frontier import Frontier
    from crawler.records import FetchOutcome, Link

    frontier = Frontier.open(tmp_path)
    frontier.seed(Link(f"story:{n}", f"/story/{n}", "story") for n in range(12))
    claims = frontier.claim(12)
    body = "<h1>Τίτλος</h1><div class=text>Μία δύο τρεις τέσσερις πέντε έξι.</div>".encode()
    slow = b"<h2>a</h2>" + b"<i>b</i>" * 3000 + body
    frontier.store(
        [
            FetchOutcome(
                claim.id, "done", body=slow if claim.key == "story:2" else body, has_story=True
            )
            for claim in claims
        ]
    )
    cubic = "//h2[count(//i[count(//i[count(//i) > 1]) > 1]) > 1]"
    profile = profiles.parse(PROFILE + f"section = '{cubic}'\n", "x")
    pool = ExtractionPool(tmp_path, "paper", profile, processes=1, limit_s=3.0)
    try:
        found = {page: read.outcome for page, read in pool.run([claim.id for claim in claims])}
    finally:
        pool.close()
    assert found == {claim.id: "hung" if claim.key == "story:2" else "done" for claim in claims}
