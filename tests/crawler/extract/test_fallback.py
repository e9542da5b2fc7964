"""A page of no known shape: what belongs to its story and what does not."""

from __future__ import annotations

import pytest

from crawler.extract.fallback import read_fallback
from crawler.extract.html import parse
from crawler.extract.shapes import StoryParts

URL = "https://www.valley-post.example/sacks"
LEAD = "Three mills of the valley ground more rye this spring than in any spring before."
PARAGRAPHS = [
    f"On day {n} the miller of the upper valley counted {n * 17} sacks of rye, which he wrote down "
    f"in his book, and sent {n} carts to the market in the town below."
    for n in range(1, 9)
]
META = (
    '<meta name="author" content="Ada Mills"><meta property="article:published_time" '
    f'content="2004-05-03"><meta name="description" content="{LEAD}">'
)


def story(body: str, head: str = META) -> StoryParts:
    page = (
        f"<html lang=en><head><title>More sacks</title>{head}</head><body><nav><a href=/>Home</a>"
        f"<a href=/economy>Economy</a></nav><article><h1>More sacks</h1>{body}</article>"
        "<footer><p>All rights of the Valley Post are reserved.</p></footer></body></html>"
    )
    found = read_fallback(page, parse(page), URL, "en")
    assert found is not None
    return found


def text(*paragraphs: str) -> str:
    return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)


def test_a_plain_story_is_read_as_it_stands() -> None:
    found = story(text(*PARAGRAPHS))
    assert list(found.paragraphs) == PARAGRAPHS
    assert (found.title, found.author, found.date) == ("More sacks", "Ada Mills", "2004-05-03")


@pytest.mark.parametrize("place", ['<div class="lead">{}</div>', "<header><p>{}</p></header>"])
def test_a_standfirst_that_the_page_prints_is_the_first_paragraph(place: str) -> None:
    found = story(place.format(LEAD) + f"<div class=body>{text(*PARAGRAPHS)}</div>")
    assert list(found.paragraphs) == [LEAD, *PARAGRAPHS]


def test_a_description_that_the_page_does_not_print_is_no_paragraph() -> None:
    assert LEAD not in story(text(*PARAGRAPHS)).paragraphs


@pytest.mark.parametrize("heading", ["<h2>{}</h2>", "<h3 class=between>{}</h3>"])
def test_headings_between_paragraphs_stay_where_they_stand(heading: str) -> None:
    body = (
        text(*PARAGRAPHS[:2])
        + heading.format("What the carts carried")
        + text(*PARAGRAPHS[2:5])
        + heading.format("Who bought the rye")
        + text(*PARAGRAPHS[5:])
    )
    wanted = [*PARAGRAPHS]
    wanted.insert(5, "Who bought the rye")
    wanted.insert(2, "What the carts carried")
    assert list(story(body).paragraphs) == wanted


@pytest.mark.parametrize(
    "line",
    [
        "<p>By Ada Mills</p>",
        "<p>Ada Mills</p>",
        "<p>May 3, 2004, 10:15</p>",
        "<p>More sacks</p>",
        '<p>READ ALSO: <a href="/rain">Rain floods the lower valley for a second week</a></p>',
        '<p><a href="https://other.example/hay">Hay is dear again, say farmers</a></p>',
    ],
)
def test_what_is_a_field_of_its_own_or_leads_elsewhere_is_no_paragraph(line: str) -> None:
    found = story(text(PARAGRAPHS[0]) + line + text(*PARAGRAPHS[1:]))
    assert list(found.paragraphs) == PARAGRAPHS


@pytest.mark.parametrize(
    "line",
    [
        'The <a href="/t/rye">rye</a> and the <a href="/t/oats">oats</a> are sold by Ada Mills.',
        "Ada Mills, who has run the upper mill since her father died, said that it would not last.",
        "In May 2004 the prices fell.",
    ],
)
def test_a_sentence_that_names_author_date_or_links_stays(line: str) -> None:
    found = story(text(*PARAGRAPHS[:3], line, *PARAGRAPHS[3:]))
    assert len(found.paragraphs) == len(PARAGRAPHS) + 1


def test_the_headings_of_a_table_of_contents_stay_in_the_text() -> None:
    contents = '<ul><li><a href="#carts">What the carts of the upper valley carried</a></li></ul>'
    heading = "<h2 id=carts>What the carts of the upper valley carried</h2>"
    found = story(contents + text(*PARAGRAPHS[:3]) + heading + text(*PARAGRAPHS[3:]))
    assert "What the carts of the upper valley carried" in found.paragraphs


def test_what_a_machine_prints_again_and_again_is_no_text() -> None:
    notice = "To see this picture, allow the contents of other sites in your settings first."
    body = "".join(text(paragraph, notice) for paragraph in PARAGRAPHS)
    assert notice not in story(body).paragraphs


def test_a_page_of_links_alone_keeps_what_trafilatura_finds() -> None:
    links = "".join(
        f'<p><a href="/{n}">The {n}th report of the year on the mills of the valley and on '
        f"their millers</a></p>"
        for n in range(12)
    )
    page = f"<html><body><article><h1>Reports</h1>{links}</article></body></html>"
    found = read_fallback(page, parse(page), URL, "en")
    assert found is None or len(found.paragraphs) > 6


@pytest.mark.parametrize(
    "code", ["&#2;", "&#27;", "&#65535;", "&#0;", "&#x1f;", "&#xD800;", "\x02", "\x00"]
)
def test_a_reference_to_a_control_character_costs_that_character(code: str) -> None:
    from tests.crawler.extract.test_extract import read
    from tests.crawler.harness import PROFILE

    marked = [f"{code}{PARAGRAPHS[0][:20]}{code}{PARAGRAPHS[0][20:]}", *PARAGRAPHS[1:]]
    page = f"<html><body><article><h1>More{code} sacks</h1>{text(*marked)}</article></body></html>"
    for profile in (PROFILE, PROFILE.replace('//div[@class="text"]', "//article")):
        found = read(page, profile)
        assert found.outcome == "done"
        said, _ = found.stories[0]
        assert all(paragraph in said.text for paragraph in PARAGRAPHS)
        assert said.title == "More sacks"
        assert said.text.replace("\n", "").isprintable()
