"""Pairs: found by any filter, judged one or many by mouse or keys, and taken back as they were."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from exchange.records import Pair
from exchange.store.corpus import SpoolCorpus
from exchange.store.review import Label
from exchange.store.spool import Spool
from tests.conftest import processes
from tests.kkoracle.browser import Browser
from tests.kkoracle.studio.conftest import EVIL, TEMPLATED, Server, ask, foreign, get, post, refused
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill, town
from trainer.dataset import read_split
from trainer.dataset.split import Split

TICKED = 'name="pair" value="([0-9a-f]{24})"'
LINES = "Πρώτη γραμμή.\n\x07Δεύτερη."
SPLITS: tuple[Split, ...] = ("train", "valid", "test_unseen")
HOSTILE = f"{EVIL} {TEMPLATED} "


PRESS = "document.body.dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}))"
HERE = "document.querySelector('tr[aria-current]')"
LOADED = "document.readyState === 'complete' && "
ROWS = LOADED + "document.querySelectorAll('tbody tr').length === "
WHY = LOADED + "document.querySelector('[name=why]:checked')?.value === 'not in text'"
SAID = "(document.querySelector('.said-once')?.innerText || '')"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Iterator[Server]:
    """Sixty stories of two years and sections; the first one's words are hostile."""
    desk = Desk(tmp_path_factory.mktemp("pairs"), model)
    desk.configure("")
    fill(
        desk.archive,
        60,
        published=lambda n: f"{2001 + n % 2}-02-03",
        section=lambda n: ("Πολιτική", "Διεθνή")[n % 2],
        aside=lambda n: HOSTILE * (n == 0),
        header=lambda n: HOSTILE * (n == 0) or "Φωνή",
        extra=[(f"{HOSTILE} Ποιος είναι;", HOSTILE), ("Δύο γραμμές;", LINES)],
    )
    _quote_first_sentence(desk.archive)
    with processes() as begin:
        yield Server(begin("-m", "kkoracle", "ui", "--port", "0", cwd=desk.folder), desk)


@pytest.fixture(autouse=True)
def nothing_said(studio: Server) -> None:
    """Each test begins with pairs that nobody has judged."""
    review = studio.review()
    while batch := review.last_batch("me"):
        review.withdraw(batch.serial, "me")
    review.close()


def _quote_first_sentence(archive: Path) -> None:
    """What the checks find: the sentence that supports the pair."""
    spool = Spool.open(archive)
    with spool.transaction() as db:
        for (record,) in db.execute("SELECT record FROM pairs").fetchall():
            pair = Pair.from_json(record)
            pair = pair.replace(quote=pair.answer)
            db.execute("UPDATE pairs SET record=? WHERE id=?", (pair.to_json(), pair.id))
    spool.close()


def pairs(studio: Server) -> dict[str, Pair]:
    with SpoolCorpus(studio.desk.archive) as corpus:
        return {stored.pair.id: stored.pair for stored in corpus.pairs()}


def standing(studio: Server) -> dict[str, Label]:
    review = studio.review()
    try:
        return review.labels()
    finally:
        review.close()


def listed(studio: Server, **query: str) -> list[str]:
    return re.findall(TICKED, get(f"{studio.url}/pairs?{urlencode(query)}"))


def test_a_list_is_filtered_and_paged_by_its_address(studio: Server) -> None:
    everything = pairs(studio)
    rejected = {one.id for one in everything.values() if one.status == "rejected"}
    page = get(f"{studio.url}/pairs?status=rejected")
    shown = re.findall(TICKED, page)
    more = re.search(r'href="([^"]+)" data-key="\]"', page)
    assert len(shown) == 50 and more and "no_question_mark 60" in page
    onward = get(studio.url + more[1].replace("&amp;", "&"))
    assert {*shown, *re.findall(TICKED, onward)} == rejected
    assert len(listed(studio, year="2002", status="accepted", section="Διεθνή")) == 50
    about = {one.id for one in everything.values() if town(7) in one.question}
    assert set(listed(studio, words=town(7).upper())) == about
    assert "No pair fits" in get(f"{studio.url}/pairs?kind=person")
    for query in ("low=x", "at=x"):
        assert ask(f"{studio.url}/pairs?{query}")[0] == 400


def test_before_anything_was_crawled_the_pages_say_what_to_do(tmp_path: Path, model: Path) -> None:
    desk = Desk(tmp_path, model)
    desk.configure("")
    with processes() as begin:
        url = Server(begin("-m", "kkoracle", "ui", "--port", "0", cwd=desk.folder), desk).url
        for path in ("/pairs", "/pairs/review", "/dataset"):
            assert '<p class="empty">' in get(url + path)
    assert not list(tmp_path.glob("data/*/*.sqlite"))


def test_a_pair_stands_beside_its_chunk_with_the_sentence_that_supports_it(studio: Server) -> None:
    pair = next(one for one in pairs(studio).values() if town(7) in one.question)
    page = get(f"{studio.url}/pairs/{pair.id}?{urlencode({'words': town(7)})}")
    assert f"<mark>{pair.answer}</mark>" in page and pair.question in page
    assert f"/stories/{_story_of(studio, pair)}" in page and "raw" in page
    assert len(re.findall('data-key="[jk]"', page)) == 1  # of three it is the first or the last
    assert ask(f"{studio.url}/pairs/ffffffffffffffffffffffff")[0] == 404


def _story_of(studio: Server, pair: Pair) -> str:
    with SpoolCorpus(studio.desk.archive) as corpus:
        return corpus.chunk_stories()[pair.chunk_ids[0]]


def test_many_are_rejected_at_once_and_taken_back_at_once(studio: Server) -> None:
    some = listed(studio, status="accepted")[:3]
    where = f"{studio.url}/pairs/reject"
    assert "choose a reason" in refused(where, *[("pair", one) for one in some])
    assert "no pair is ticked" in refused(where, why="wrong")
    assert "not in this archive" in refused(where, pair="f" * 24, why="wrong")
    page = post(where, *[("pair", one) for one in some], why="bad Greek", status="accepted")
    assert "3 pairs rejected: bad Greek" in page and "Undo: 3 rejected as bad Greek" in page
    assert {one: label.reason for one, label in standing(studio).items()} == dict.fromkeys(
        some, "bad Greek"
    )
    assert set(listed(studio, label="rejected")) == set(some)
    page = post(f"{studio.url}/pairs/undo")
    assert "taken back: 3 pairs rejected" in page and standing(studio) == {}
    assert "nothing of me" in post(f"{studio.url}/pairs/undo")


def test_all_of_a_list_are_judged_at_once(studio: Server) -> None:
    post(f"{studio.url}/pairs/accept", everything="1", words=town(7), status="accepted")
    found = standing(studio)
    assert len(found) == 3 and {label.verdict for label in found.values()} == {"accept"}
    assert all(town(7) in pairs(studio)[one].question for one in found)


def test_a_pair_is_edited_and_the_next_one_of_the_list_comes(studio: Server) -> None:
    first, second, *_ = listed(studio, words=town(7))
    pair = pairs(studio)[first]
    page = post(
        f"{studio.url}/pairs/accept",
        ("pair", first),
        on=first,
        words=town(7),
        question=pair.question,
        answer="Διορθωμένη απάντηση.",
    )
    assert "1 pair accepted" in page and f"Pair {second[:8]}" in page
    label = standing(studio)[first]
    assert (label.question, label.answer) == ("", "Διορθωμένη απάντηση.")
    assert "edited by hand" in get(f"{studio.url}/pairs/{first}")
    assert "question and an answer" in refused(
        f"{studio.url}/pairs/accept", pair=first, question=" ", answer="x"
    )
    assert "characters" in refused(
        f"{studio.url}/pairs/accept", pair=first, question="x", answer="x" * 20_001
    )
    page = post(f"{studio.url}/pairs/undo", on=second)
    assert f"Pair {first[:8]}" in page and standing(studio) == {}


def test_lines_and_control_characters_are_no_edit(browser: Browser, studio: Server) -> None:
    (one,) = listed(studio, words="Δύο γραμμές")
    browser.look(
        f"{studio.url}/pairs/{one}",
        LOADED + "document.querySelector('#answer').value.includes('Δεύτερη')",
        (PRESS.format("a"), f"{SAID}.includes('1 pair accepted')"),
    )
    ((given, label),) = standing(studio).items()
    assert (given, label.question, label.answer) == (one, "", "")


def test_a_review_session_is_chosen_and_ends_with_nothing_said_about_another_pair(
    studio: Server,
) -> None:
    page = get(f"{studio.url}/pairs/review")
    shown = re.findall('name="pair" value="([^"]*)"', page)
    assert "1 of 5" in page and len(set(shown)) == 1
    pair = pairs(studio)[shown[0]]
    page = post(
        f"{studio.url}/pairs/review/accept",
        pair=pair.id,
        question=pair.question,
        answer=pair.answer,
    )
    (second,) = set(re.findall('name="pair" value="([^"]*)"', page))
    assert "2 of 5" in page and "1 label in this session" in page and second != pair.id
    said = post(f"{studio.url}/pairs/review/reject", pair=pair.id, why="wrong")
    assert "another pair was shown meanwhile" in said
    assert "choose a reason" in refused(f"{studio.url}/pairs/review/reject", pair=second)
    assert "3 of 5" in post(f"{studio.url}/pairs/review/reject", pair=second, why="trivial")
    assert {one: given.verdict for one, given in standing(studio).items()} == {
        pair.id: "accept",
        second: "reject",
    }
    post(f"{studio.url}/pairs/review/undo")
    assert "1 of 5" in post(f"{studio.url}/pairs/review/undo") and standing(studio) == {}
    assert "first pair of this session" in post(f"{studio.url}/pairs/review/undo")


def test_a_rejected_pair_is_filtered_out_and_accepted_by_keys(
    browser: Browser, studio: Server
) -> None:
    choose = (
        "(() => { const box = document.querySelector('select[name=status]'); box.value = "
        "'rejected'; box.dispatchEvent(new Event('change', {bubbles: true})) })()"
    )
    seen = browser.look(
        f"{studio.url}/pairs",
        f"{ROWS}50",
        (
            choose,
            f"location.search.includes('status=rejected') && {ROWS}50",
        ),
        (PRESS.format("j"), f"{HERE} !== null"),
        (PRESS.format("ξ"), f"{HERE}.rowIndex === 2 && (window.before = true)"),  # Greek letters
        (
            PRESS.format("α"),
            f"window.before === undefined && {LOADED} {SAID}.includes('1 pair accepted')",
        ),
        ("", f"{HERE}.rowIndex === 2 && {HERE}.innerText.includes('accepted by hand')"),
        # Another list has no current row, which a key could judge unseen.
        (
            "location.href = '/pairs?year=2002'",
            f"location.search === '?year=2002' && {ROWS}50 && {HERE} === null",
        ),
    )
    assert seen["owned"] is None and foreign(seen, studio.url) == set()
    ((given, label),) = standing(studio).items()
    assert label.verdict == "accept" and pairs(studio)[given].status == "rejected"
    studio.desk.cli("dataset", "build")
    built = [row for split in SPLITS for row in read_split(studio.desk.dataset, split)]
    assert {row.id: row.label for row in built if row.label} == {given: "accepted by hand"}


def test_pairs_are_rejected_in_bulk_by_keys_and_taken_back(
    browser: Browser, studio: Server
) -> None:
    ticked = "document.querySelectorAll('tbody input:checked').length"
    seen = browser.look(
        f"{studio.url}/pairs?status=accepted",
        f"{ROWS}50",
        (PRESS.format("j") + ";" + PRESS.format("x"), f"{ticked} === 1"),
        (PRESS.format("j") + ";" + PRESS.format("χ"), f"{ticked} === 2"),
        (PRESS.format("k") + ";" + PRESS.format("x"), f"{ticked} === 1"),
        ("document.querySelector('[data-check-all]').click()", f"{ticked} === 50"),
        (PRESS.format("2"), WHY),
        (PRESS.format("r"), f"{SAID}.includes('50 pairs rejected: not in text')"),
        ("", WHY),  # it stays chosen
        (PRESS.format("u"), f"{SAID}.includes('taken back: 50 pairs')"),
    )
    assert seen["owned"] is None and standing(studio) == {}
    assert len(studio.review().history()) >= 100  # nothing that was said is lost


def test_a_hostile_pair_is_shown_as_words_and_is_opened_and_edited_by_keys(
    browser: Browser, studio: Server
) -> None:
    seen = browser.look(
        f"{studio.url}/pairs?words=onerror",
        f"{ROWS}1",
        (PRESS.format("j"), f"{HERE} !== null"),
        (
            PRESS.format("e"),
            LOADED + "document.querySelector('#chunk')?.innerText.includes('onerror')",
        ),
        (PRESS.format("e"), "document.activeElement.id === 'question'"),
        (
            "document.querySelector('#answer').value = 'Κανείς.';"
            "document.activeElement.blur();" + PRESS.format("a"),
            f"{SAID}.includes('1 pair accepted')",
        ),
        ("setTimeout(() => { window.later = true }, 300)", "window.later"),
    )
    assert seen["owned"] is None and foreign(seen, studio.url) == set()
    ((_, label),) = standing(studio).items()
    assert label.answer == "Κανείς."


@pytest.mark.parametrize("width,scheme", [(1440, "light"), (390, "dark")])
def test_nobody_is_shut_out(browser: Browser, studio: Server, width: int, scheme: str) -> None:
    some = listed(studio)[0]
    for path in ("/pairs", f"/pairs/{some}", "/pairs/review", "/pairs?words=zzzz"):
        found: Any = browser.faults(
            studio.url + path, "!!document.querySelector('h1')", width=width, scheme=scheme
        )
        assert found == "", (path, found)


def test_words_of_the_newspaper_are_never_markup(studio: Server) -> None:
    for query in ("?words=onerror", ""):
        assert "<img src=x" not in get(f"{studio.url}/pairs{query}")
