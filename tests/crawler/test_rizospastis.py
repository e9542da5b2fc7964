"""The profile of Rizospastis on pages made like those that are known: addresses, layouts, traps."""

from __future__ import annotations

import datetime as dt

import pytest

from crawler import profiles
from crawler.extract.page import PageReader, StoredPage
from crawler.extract.worker import unpack_profile
from crawler.records import ExtractionResult
from crawler.scope import CrawlScope

PROFILE = profiles.builtin()["rizospastis"]
SITE = CrawlScope(PROFILE)
BODY = (
    "Στις 14 Μάη οι εργαζόμενοι της πόλης βγήκαν στους δρόμους. Ζητούσαν δουλειά για όλους, "
    "μέτρα για τους ανέργους και φτηνό ψωμί."
)


def read(html: str, kind: str = "story", issue: str = "1998-05-17") -> ExtractionResult:
    body = html.encode("cp1253", "xmlcharrefreplace")
    page = StoredPage(f"{kind}:1", "https://www.rizospastis.gr/x", kind, issue, None, "", body)
    found = PageReader(PROFILE, "rizospastis").read(page)
    assert (
        PageReader(unpack_profile(PROFILE.of_extraction("base").encode()), "rizospastis").read(page)
        == found
    )
    return found


@pytest.mark.parametrize(
    "alias",
    [
        "/story.do?id=3714271",
        "https://www1.rizospastis.gr/story.do?id=3714271",
        "http://rizospastis.gr/story.do?id=3714271&publDate=17/5/1998",
        "https://www2.rizospastis.gr/story.do?publDate=17%2F05%2F1998&id=3714271",
        "/story.do?id=3714271&publDate=17/5/1998&pageNo=3",
    ],
)
def test_every_alias_of_a_story_has_one_key_and_one_address(alias: str) -> None:
    link = SITE.classify(alias)
    assert link is not None
    assert (link.key, link.url) == ("story:3714271", "/story.do?id=3714271")


@pytest.mark.parametrize(
    "alias",
    [
        "/page.do?publDate=7/5/1998&pageNo=3",
        "/page.do?publDate=07/05/1998&pageNo=03",
        "/page.do?pageNo=3&publDate=7%2F5%2F1998",
    ],
)
def test_every_spelling_of_a_page_has_one_key(alias: str) -> None:
    link = SITE.classify(alias)
    assert link is not None
    assert (link.key, link.issue) == ("page:1998-05-07:3", "1998-05-07")


def test_two_editions_of_a_day_are_two_pages() -> None:
    one = SITE.classify("/page.do?publDate=7/5/1998&pageNo=3&id=111")
    two = SITE.classify("/page.do?publDate=7/5/1998&pageNo=3&id=222")
    assert one is not None and two is not None and one.key != two.key


@pytest.mark.parametrize(
    "trap",
    [
        "/adjacent.do?id=5",
        "/columnPage.do?columnId=4",
        "/story.do",
        "https://example.org/story.do?id=1",
        "/columnStory.do?columnId=4&publDate=17/5/1998",
    ],
)
def test_endless_chains_and_second_copies_are_not_followed(trap: str) -> None:
    assert SITE.classify(trap) is None


def test_every_day_of_an_issue_is_asked_for_and_no_other() -> None:
    days = {link.issue for link in SITE.seeds(dt.date(2025, 1, 31)) if link.issue}
    assert "1996-01-02" in days
    assert dt.date(1998, 5, 17).weekday() == 6 and "1998-05-17" in days
    assert "1998-05-18" not in days  # Monday
    assert "2012-05-19" in days and "2012-05-20" not in days  # the weekend is one issue
    assert "2025-01-05" in days


def test_the_researchers_weekend_issues_are_a_setting() -> None:
    site = CrawlScope(SITE.profile, dt.date(2008, 1, 1), dt.date(2024, 12, 31), ("sat", "sun"))
    dated = [dt.date.fromisoformat(link.issue) for link in site.dated(dt.date(2026, 1, 1))]
    assert {date.weekday() for date in dated} == {5, 6}
    assert (min(dated), max(dated)) == (dt.date(2008, 1, 5), dt.date(2024, 12, 28))
    assert len(dated) == len({*dated}) == 16 + 879  # two a week until March 2008, then one
    assert site.classify("/page.do?publDate=18/5/2012&pageNo=2") is None  # a Friday
    assert site.classify("/page.do?publDate=19/5/2012&pageNo=2") is not None


def test_the_text_is_what_was_printed_without_caption_and_promotions() -> None:
    found = read(f"""<div class="title1" align="center">Στους <br>δρόμους</div>
        <div class="story_body"><p>{BODY}</p><div class="image"><img src=a.jpg>Από τη διαδήλωση
        </div><p>Η συνέχεια αύ&shy;ριο &laquo;στις επτά&raquo;.</p></div>
        <a href="#top">Κορυφή σελίδας</a><div class="story_body">Αγοράστε την έκδοση.</div>
        <div class="promo">Γίνετε συνδρομητές</div>""")
    (story, _) = found.stories[0]
    assert story.title == "Στους δρόμους"
    assert story.text == f"{BODY}\n\nΗ συνέχεια αύριο «στις επτά»."
    assert (story.published, story.marks) == ("1998-05-17", ())


def test_old_tables_with_double_breaks_are_paragraphs() -> None:
    found = read(f"""<table><tr><td><font size=2>Αρχική<br>Φύλλα</font></td><td>
        <font size="5"><b>Απεργία</b></font></td></tr><tr><td><font face=Arial>
        <font size=6>Σ</font>τις
        14 Μάη έγινε η απεργία όλων των κλάδων.<br><br>{BODY}</font></td></tr></table>""")
    (story, _) = found.stories[0]
    assert story.title == "Απεργία"
    assert story.text == f"Στις 14 Μάη έγινε η απεργία όλων των κλάδων.\n\n{BODY}"


def test_an_item_of_page_one_is_kept_and_marked_a_teaser() -> None:
    found = read(f'<div class="story_body">{BODY} ΣΕΛ. 16-17</div>')
    (story, _) = found.stories[0]
    assert story.marks == ("teaser",)


def test_a_page_with_several_stories_gives_each_its_place() -> None:
    one = f'<div class="title2">Πρώτο</div><div class="story_body" id="a1">{BODY}</div>'
    two = f'<div class="title3">Δεύτερο</div><div class="story_body">Κι άλλο. {BODY}</div>'
    found = read(one + two, kind="page")
    assert [story.title for story, _ in found.stories] == ["Πρώτο", "Δεύτερο"]
    places = [story.url.partition("#")[2] for story, _ in found.stories]
    assert places == ["a1", "story-2"]
    assert len({story.id for story, _ in found.stories}) == 2


@pytest.mark.parametrize(
    ("title", "kept"),
    [
        ("ΤΗΛΕΟΡΑΣΗ", False),
        ("Τηλεόραση της Κυριακής", False),
        ("Αθλητικά", False),
        ("Σκάκι", False),
        ("Θέατρα", False),
        ("Ο κινηματογράφος σε κρίση", True),
        ("Μνήμες του πολέμου", True),
    ],
)
def test_standing_columns_are_left_out_and_stories_about_them_stay(title: str, kept: bool) -> None:
    found = read(f'<div class="title1">{title}</div><div class="story_body">{BODY}</div>')
    assert (found.outcome == "done") == kept
