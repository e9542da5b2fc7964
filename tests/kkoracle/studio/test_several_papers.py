"""The studio over a dataset of two newspapers: all of it, told apart, judged where it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from exchange.store.review import Review
from tests.conftest import processes
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import Server, ask, get, post
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill, town

PAPERS = {"one": 0, "two": 1000}  # the number of the first story of each
SNOWED = quote("χιόνισε")
STORIES = {"one": 40, "two": 35}


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Server]:
    desk = Desk(tmp_path_factory.mktemp("press"), model)
    desk.configure("")
    for name, first in PAPERS.items():
        fill(
            desk.folder / "data" / name,
            STORIES[name],
            archive=name,
            first=first,
            published=lambda n: f"{2001 + n % 5}-0{n % 3 + 1}-03",
            section=lambda n: ("Πολιτική", "Διεθνή")[n % 2],
            aside=lambda n: f"Στην πόλη {town(n)} χιόνισε. ",
        )
    desk.cli("dataset", "build", "press", "--of", "one", "--of", "two")
    with processes() as start:
        yield Server(start("-m", "kkoracle", "ui", "press", "--port", "0", cwd=desk.folder), desk)


def cells(page: str, column: int) -> list[str]:
    rows = re.findall(r"<tr>\s*(<td.*?)</tr>", page, re.DOTALL)
    found = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]
    return [row[column] for row in found if len(row) > column]


def all_pages(url: str, path: str) -> list[str]:
    """A list from its beginning to its end, and back the same way."""
    pages, address = [], path
    while address:
        page = get(url + address)
        pages.append(page)
        (address,) = re.findall(r'<a href="([^"]+)" data-key="\]"', page) or [""]
        address = address.replace("&amp;", "&")
    links = r'<a href="(/(?:stories|pairs)/[0-9a-f]+)'
    there = [re.findall(links, page) for page in pages]
    back = re.findall(r'<a href="([^"]+)" data-key="\["', pages[-1])
    if back:
        before = get(url + back[0].replace("&amp;", "&"))
        assert re.findall(links, before) == there[-2]
    return pages


def test_stories_of_both_are_one_list_by_date_with_a_column_and_a_filter(press: Server) -> None:
    pages = all_pages(press.url, "/stories")
    papers = [paper for page in pages for paper in cells(page, 2)]
    dates = [re.sub("<.*", "", date) for page in pages for date in cells(page, 0)]
    dates = [one for one in dates if re.fullmatch(r"\d{4}-\d\d-\d\d", one)]
    assert len(dates) == 75 and dates == sorted(dates, reverse=True)
    assert {name: papers.count(name) for name in PAPERS} == STORIES
    assert ">75 stories<" in pages[0]
    asked = urlencode({"paper": "two", "section": "Διεθνή"})
    of_two = "".join(all_pages(press.url, f"/stories?{asked}"))
    assert set(cells(of_two, 2)) == {"two"} and len(cells(of_two, 2)) == 17
    assert ask(f"{press.url}/stories?paper=three")[0] == 400


def test_a_story_says_whose_it_is_and_shows_its_pairs(press: Server) -> None:
    page = get(f"{press.url}/stories?paper=two")
    (first, *_) = re.findall(r'href="(/stories/[0-9a-f]+)"', page)
    story = get(press.url + first)
    assert 'paper=two">two</a>' in story and "accepted" in story and "χιόνισε" in story


def test_a_search_finds_both_and_one_alone(press: Server) -> None:
    both = get(f"{press.url}/search?q={SNOWED}")
    assert "75 stories" in both
    found = re.findall(r'<span class="chip">(one|two)</span>', both)
    assert set(found) == {"one", "two"} and len(found) == 50
    alone = get(f"{press.url}/search?q={SNOWED}&paper=two")
    assert set(re.findall(r'<span class="chip">(one|two)</span>', alone)) == {"two"}
    assert "like that" in alone


def test_pairs_of_both_are_judged_in_the_files_of_their_own_newspaper(press: Server) -> None:
    pages = all_pages(press.url, "/pairs?status=accepted")
    ids = [one for page in pages for one in re.findall(r'name="pair" value="([0-9a-f]+)"', page)]
    assert len(ids) == len(set(ids)) == 3 * 75
    chosen = []
    for name in PAPERS:
        page = get(f"{press.url}/pairs?paper={name}&status=accepted")
        assert f"{3 * STORIES[name]} pairs" in page
        chosen.append(re.findall(r'name="pair" value="([0-9a-f]+)"', page)[0])
    said = post(f"{press.url}/pairs/accept", *(("pair", one) for one in chosen))
    assert "2 pairs accepted" in said and "Undo: 2 accepted" in said
    for name, one in zip(PAPERS, chosen, strict=True):
        review = Review.open(press.desk.folder / "data" / name)
        assert list(review.labels()) == [one]
        review.close()
    assert not (press.desk.folder / "data" / "press" / "review.sqlite").exists()
    pair = get(f"{press.url}/pairs/{chosen[1]}?paper=two&status=accepted")
    assert ">two</a>" in pair and "accepted by hand" in pair and 'rel="next"' in pair
    assert "taken back: 2 pairs accepted" in post(f"{press.url}/pairs/undo")
    for name in PAPERS:
        review = Review.open(press.desk.folder / "data" / name)
        assert review.labels() == {}
        review.close()


def test_fifty_are_reviewed_of_one_newspaper_at_a_time(press: Server) -> None:
    page = get(f"{press.url}/pairs/review?paper=two")
    pair = re.search(r'name="pair" value="([0-9a-f]+)"', page)
    assert pair and 'name="paper" value="two"' in page
    shown = re.search(r'<textarea id="question"[^>]*>([^<]*)<', page)
    more = re.search(r'<textarea id="answer"[^>]*>([^<]*)<', page)
    assert shown and more
    after = post(
        f"{press.url}/pairs/review/accept",
        pair=pair[1],
        paper="two",
        question=shown[1],
        answer=more[1],
    )
    assert "2 of 5" in after
    review = Review.open(press.desk.folder / "data" / "two")
    assert list(review.labels()) == [pair[1]]
    review.close()


def test_the_other_pages_are_about_all_of_it(press: Server) -> None:
    front = get(press.url)
    assert "press is made of 2 newspapers" in front and ">40</a>" in front and ">35</a>" in front
    assert "Start train" in front and "Start crawl" not in front and "Start live" not in front
    for page in ("dataset", "runs", "ask", "reports", "score"):
        get(f"{press.url}/{page}")


@pytest.mark.parametrize("page", ["", "stories", f"search?q={SNOWED}", "pairs"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_can_be_read_by_everybody(
    browser: Browser, press: Server, page: str, width: int
) -> None:
    ready = "document.readyState === 'complete'"
    assert browser.faults(f"{press.url}/{page}", ready, width=width) == ""
