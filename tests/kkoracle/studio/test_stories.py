"""Stories: filters and map, one story with its pairs and its page, and what is searched for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from crawler.frontier import pages
from crawler.frontier.raw_store import RawStore, StoredBody
from exchange.errors import NotFound, TooLarge, Unsupported
from exchange.records import digest
from exchange.store.db import transaction
from exchange.store.spool import Spool
from kkoracle.studio import stored_page
from kkoracle.studio.stored_page import readable_page
from tests.conftest import processes, until
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, TEMPLATED, Server, ask, foreign, get, post
from tests.trainer.conftest import Desk
from tests.trainer.filling import answer, fill, question, town

HOSTILE = f"{EVIL} {TEMPLATED} "
PAGE = f"""<!doctype html><html><head><title>Φύλλο</title><base href="https://evil.example/">
<meta http-equiv="refresh" content="0;url=https://evil.example/"><link rel="dns-prefetch"
href="//evil.example"><style>body{{background:url(https://evil.example/b.png)}}</style>
<script>window.owned='yes'</script></head>
<body onload="window.owned='yes'" background="https://evil.example/c.png">{EVIL}
<form action="https://evil.example/">Η <a href="https://paper.example/next">επόμενη</a> σελίδα
<input value="κρυφό"></form><!-- σχόλιο --><p style="color:red">Το έκανε ο <b>Νίκος</b>.</p>
<img src="https://evil.example/1.png" alt="Το λιμάνι"><iframe src="https://evil.example/f"></iframe>
<svg><a href="javascript:1">x</a></svg><table><tr><td colspan="2">κελί</table></body></html>"""
STORY = digest("paper", "3")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Server]:
    """Sixty stories of five years; the first one is hostile, of the fourth the page is kept."""
    desk = Desk(tmp_path_factory.mktemp("stories"), model)
    desk.configure("")
    fill(
        desk.archive,
        60,
        published=lambda n: "" if n == 59 else f"{2001 + n % 5}-0{n % 3 + 1}-03",
        section=lambda n: HOSTILE if n == 0 else ("Πολιτική", "Διεθνή")[n % 2],
        header=lambda n: HOSTILE if n == 0 else "Φωνή",
        aside=lambda n: f"{HOSTILE if n == 0 else ''}Στην πόλη {town(n)} χιόνισε. ",
    )
    spool = Spool.open(desk.archive)
    with spool.transaction():
        spool.mark(digest("paper", "5"), "teaser")
    spool.close()
    db = pages.connect(desk.archive)
    with transaction(db):
        db.execute(
            "INSERT INTO pages(id, key, url, kind, priority, state, status, charset) "
            "VALUES (1, 'page-3', '/3', 'story', 0, 'done', 200, 'windows-1253')"
        )
        RawStore(db).put(1, PAGE.encode("cp1253"))
    db.close()
    with processes() as begin:
        yield Server(begin("-m", "kkoracle", "ui", "--port", "0", cwd=desk.folder), desk)


def listed(studio: Server, **query: str) -> list[str]:
    page = get(f"{studio.url}/stories?{urlencode(query)}")
    return re.findall(r'class="title"><a href="/stories/([0-9a-f]{24})"', page)


def test_a_list_is_filtered_and_paged_by_its_address(studio: Server) -> None:
    page = get(f"{studio.url}/stories")
    more = re.search(r'href="([^"]+)" data-key="\]"', page)
    assert "60 stories" in page and more and len(listed(studio)) == 50
    onward = get(studio.url + more[1].replace("&amp;", "&"))
    assert onward.count('class="title"') == 10 and 'data-key="["' in onward
    assert listed(studio, mark="teaser") == [digest("paper", "5")]
    assert listed(studio, state="withheld") == [digest("paper", "5")]
    assert listed(studio, undated="1") == [digest("paper", "59")]
    assert len(listed(studio, section="Διεθνή", since="2002", until="2002-02")) == 4
    assert listed(studio, language="other") == [] and len(listed(studio, state="accepted")) == 50
    status, wrong, _ = ask(f"{studio.url}/stories?since=yesterday")
    assert status == 400 and "is no date" in wrong
    assert ask(f"{studio.url}/stories?at=%5B1")[0] == 400


def test_the_map_leads_to_a_month_and_a_year(studio: Server) -> None:
    page = get(f"{studio.url}/stories?section={quote('Διεθνή')}")
    month = re.search(r'href="([^"]+)" aria-label="Feb 2002: (\d+) stories"', page)
    year = re.search(r'href="([^"]+)" aria-label="2002: (\d+) stories"', page)
    assert month and year
    for found in (month, year):
        shown = get(studio.url + found[1].replace("&amp;", "&"))
        assert shown.count('class="title"') == int(found[2]) > 0
    assert "Jan 2001: " in page and 'aria-label="Apr' not in page  # no story, no link


def test_a_story_shows_its_pairs_its_chunks_and_its_marks(studio: Server) -> None:
    page = get(f"{studio.url}/stories/{STORY}")
    assert question(3, 0) in page and answer(3, 1) in page and "no_question_mark" in page
    assert "http://x/3" in page and f"/stories/{STORY}/page" in page
    held = get(f"{studio.url}/stories/{digest('paper', '5')}")
    assert "teaser" in held and "no more in use" in held and "<iframe" not in held
    assert ask(f"{studio.url}/stories/{'0' * 24}")[0] == 404
    hostile = get(f"{studio.url}/stories/{digest('paper', '0')}")
    assert "<img src=x" not in hostile and "&lt;img src=x" in hostile


def test_a_stored_page_is_its_words_and_asks_for_nothing(studio: Server) -> None:
    status, page, headers = ask(f"{studio.url}/stories/{STORY}/page")
    assert status == 200 and headers["content-security-policy"].startswith("sandbox;")
    for word in ("Το έκανε ο <b>Νίκος</b>.", "επόμενη", "[Το λιμάνι]", 'colspan="2"', "σελίδα"):
        assert word in page, word
    body = page.split("<body>")[1]
    for gone in (
        "<script",
        "<img",
        "<link",
        "<meta",
        "<form",
        "<input",
        "<iframe",
        "<svg",
        "<base",
    ):
        assert gone not in body, gone
    assert (
        " src" not in body
        and "href=" not in body
        and "style=" not in body
        and "on" + "load" not in body
    )
    assert "σχόλιο" not in body and "κρυφό" not in body and "owned" not in body
    assert ask(f"{studio.url}/stories/{digest('paper', '5')}/page")[0] == 404


def test_pages_that_nobody_can_read_here_say_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def kept(body: bytes, kind: str = "story") -> StoredBody:
        return StoredBody(200, "h", kind, "", body)

    assert "&lt;b&gt;" in readable_page(kept(b"<b> 1 < 2", "@text"), "en")
    deep = b"<div>" * 1500 + b"deep" + b"</div>" * 1500
    assert "deep" in readable_page(kept(deep), "en")
    with pytest.raises(NotFound):
        readable_page(kept(b""), "en")
    for none in (b"%PDF-1.7 x", b"<!-- -->"):
        with pytest.raises(Unsupported):
            readable_page(kept(none), "en")
    monkeypatch.setattr(stored_page, "MOST_BYTES", 10)
    with pytest.raises(TooLarge):
        readable_page(kept(b"x" * 11), "en")


def test_a_search_shows_every_mention_by_date_with_a_plot(studio: Server) -> None:
    page = get(f"{studio.url}/search?q={quote(town(7).upper())}")
    assert "1 passage in 1 story." in page and f"<mark>{town(7)}</mark>" in page
    assert f"/stories/{digest('paper', '7')}?q=" in page and "<svg" not in page
    common = get(f"{studio.url}/search?q={quote('χιονίσει χιόνισε')}&since=2002&until=2003")
    dates = re.findall(r'class="date">([^<]+)<', get(f"{studio.url}/search?q={quote('χιόνισε')}"))
    assert len(dates) == 50 and dates == sorted(dates)
    assert "stories by month" in get(f"{studio.url}/search?q={quote('χιόνισε')}&since=2003")
    assert "stories by year" in get(f"{studio.url}/search?q={quote('χιόνισε')}")
    assert "No passage has all of this" in common or "passages" in common
    named = get(f"{studio.url}/names/{quote('Νίκου Βαλτινού')}")
    assert "<h1>Νίκου Βαλτινού</h1>" in named and "<mark>Νίκος</mark>" in named
    narrow = urlencode({"q": "χιόνισε", "section": "Διεθνή", "state": "accepted", "since": "2003"})
    some = get(f"{studio.url}/search?{narrow}")
    assert some.count("<mark>χιόνισε</mark>") == 17 and "Πολιτική</span>" not in some
    assert "give a word" in get(f"{studio.url}/search?q=...")
    assert "is no date" in get(f"{studio.url}/search?q=x&since=never")
    hostile = get(f"{studio.url}/search?q={quote(HOSTILE)}")
    assert "<img src=x" not in hostile


def test_a_large_archive_is_indexed_by_a_command(
    studio: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = studio.desk.archive / "rag.sqlite"
    get(f"{studio.url}/search?q=x")
    index.unlink()
    page = post(f"{studio.url}/search")
    assert "is being indexed" in page
    until(index.exists)


def test_a_person_searches_opens_a_story_and_reads_its_stored_page(
    studio: Server, browser: Browser
) -> None:
    seen = browser.look(
        f"{studio.url}/stories",
        "!!document.querySelector('input[type=search]')",
        (
            f"document.querySelector('input[type=search]').value = '\"{town(3)} χιόνισε\"';"
            "document.querySelector('form[role=search] button').click()",
            "document.querySelectorAll('.mentions li').length == 1",
        ),
        (
            "document.querySelector('.mentions li a').click()",
            "!!document.querySelector('article mark') && !!document.querySelector('iframe.page')",
        ),
        (
            "document.querySelector('iframe.page').scrollIntoView();"
            "window.open = (address) => { window.location = address }",
            "window.frames.length == 1",
        ),
        (
            "window.location = document.querySelector('iframe.page').src",
            "document.body.innerText.includes('Το έκανε ο Νίκος.')",
        ),
    )
    assert seen["owned"] is None
    assert foreign(seen, studio.url) == set()


def test_a_month_is_chosen_on_the_map_with_the_keyboard_alone(
    studio: Server, browser: Browser
) -> None:
    seen = browser.look(
        f"{studio.url}/stories",
        "!!document.querySelector('table.map a')",
        (
            "document.querySelector('[aria-label^=\"Feb 2002\"]').focus();"
            "document.activeElement.click()",
            "location.search.includes('since=2002-02') && "
            "document.querySelectorAll('td.title').length",
        ),
    )
    assert int(seen["value"]) == 4 and foreign(seen, studio.url) == set()


@pytest.mark.parametrize("width", [390, 1440])
def test_anybody_can_use_the_pages(studio: Server, browser: Browser, width: int) -> None:
    scheme = "dark" if width > 1000 else "light"
    for path in (
        "/stories",
        f"/stories/{STORY}?q={quote(town(3))}",
        f"/search?q={quote('χιόνισε')}",
    ):
        found = browser.faults(
            studio.url + path, "!!document.querySelector('h1')", width=width, scheme=scheme
        )
        assert found == "", path
