"""What a person looks up: a name in any case, a phrase, a date; every story once, by date."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import UsageError
from exchange.records import Chunk, Story, digest
from exchange.store.spool import Spool
from trainer.evaluate.rag import mentions
from trainer.evaluate.rag.archive import FILE, current_index, usable_index
from trainer.evaluate.rag.index import SearchIndex
from trainer.evaluate.rag.mentions import (
    ArchiveQuery,
    count_mentions,
    find_mentions,
    make_excerpt,
    mark_words,
)

TEXTS = {  # by date
    "": "Ένα φύλλο χωρίς ημερομηνία για τον Σπύρο Λαμπράκη.",
    "1996-02-03": "Ο Γιώργος Βαλτινός μίλησε στη Λάρισα.",
    "1998-05-01": "Του Γιώργου Βαλτινού η ομιλία, στις 12 Μαρτίου 2014, δεν έγινε.",
    "2003-01-10": "Ο Γιώργος είδε τον Νίκο. Τον ΒΑΛΤΙΝΟ δεν τον είδε· ούτε στις 12/3/2014.",
    "2003-01-11": "Strikes at the harbour: John Smith's union met the port's owners.",
    "2010-07-09": "Βαλτινέ Γιώργο, του φώναξαν. «Γέφυρα».",
}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    spool = Spool.open(tmp_path)
    spool.identity()
    with spool.transaction():
        for number, (date, text) in enumerate(TEXTS.items()):
            add(spool, number, date, text, text + " Και πάλι.")
    spool.close()
    return tmp_path


def add(spool: Spool, number: int, date: str, *texts: str) -> None:
    story = Story(
        id=digest("s", str(number)),
        url=f"https://paper.example/{number}",
        archive="paper",
        published=date,
        section="Πόλη",
        title=f"Τίτλος {number}",
        author="",
        text=texts[0],
    )
    chunks = [
        Chunk(Chunk.make_id(story.id, text), story.id, at, text, "Φωνή")
        for at, text in enumerate(texts)
    ]
    spool.put_page(f"page-{number}", "1", [(story, chunks)])


Opened = tuple[SearchIndex, dict[str, Spool]]


@pytest.fixture
def opened(archive: Path) -> Iterator[Opened]:
    index, spool = current_index(archive), Spool.read(archive)
    yield index, {"paper": spool}
    index.close()
    spool.close()


def dates(opened: Opened, words: str, **asked: str | bool | int) -> list[str]:
    page = find_mentions(*opened, ArchiveQuery.parse(words), **asked)  # type: ignore[arg-type]
    return [mention.published for mention in page.rows]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Βαλτινός", ["1996-02-03", "1998-05-01", "2003-01-10", "2010-07-09"]),
        ("ΒΑΛΤΙΝΟΥ γιωργο", ["1996-02-03", "1998-05-01", "2003-01-10", "2010-07-09"]),
        ('"Γιώργος Βαλτινός"', ["1996-02-03", "1998-05-01"]),
        ("«γιώργο βαλτινό»", ["1996-02-03", "1998-05-01"]),
        ('"Βαλτινός" -Λάρισα -"Γιώργος είδε"', ["1998-05-01", "2010-07-09"]),
        ("στις 12.3.2014", ["1998-05-01", "2003-01-10"]),
        ("12 Μαρτίου 2014 Νίκος", ["2003-01-10"]),
        ('"John Smith" harbour', ["2003-01-11"]),
        ("port's", ["2003-01-11"]),
        ("Λαμπράκης", [""]),
        ("και", ["1996-02-03", "1998-05-01", "2003-01-10", "2003-01-11", "2010-07-09", ""]),
        ("γέφυρα λιμάνι", []),
    ],
)
def test_words_are_met_in_any_case(opened: Opened, words: str, found: list[str]) -> None:
    assert dates(opened, words) == found
    assert dates(opened, words, newest=True) == found[::-1]
    counted = count_mentions(opened[0], ArchiveQuery.parse(words))
    assert counted.stories == len(found)
    assert list(counted.by_month) == list(dict.fromkeys(date[:7] for date in found))


def test_dates_bound_a_search_both_ends_included(opened: Opened) -> None:
    assert dates(opened, "Βαλτινός", since="1998", until="2003") == ["1998-05-01", "2003-01-10"]
    assert dates(opened, "Βαλτινός", since="2003-01-11") == ["2010-07-09"]
    assert dates(opened, "Βαλτινός", until="1998-05-01") == ["1996-02-03", "1998-05-01"]
    assert dates(opened, "Λαμπράκης", until="2030") == []  # nobody knows when
    inside = count_mentions(opened[0], ArchiveQuery.parse("Βαλτινός"), since="1998", until="2003")
    assert inside.by_month == {"1998-05": 1, "2003-01": 1}


@pytest.mark.parametrize("newest", [False, True])
def test_pages_show_every_story_once_forwards_and_back(opened: Opened, newest: bool) -> None:
    query = ArchiveQuery.parse("και")
    pages = [find_mentions(*opened, query, size=4, newest=newest)]
    while pages[-1].after:
        pages.append(find_mentions(*opened, query, size=4, newest=newest, cursor=pages[-1].after))
    stories = [mention.story for page in pages for mention in page.rows]
    assert len(stories) == len(set(stories)) == len(TEXTS)
    back = find_mentions(*opened, query, size=4, newest=newest, cursor=pages[-1].before)
    assert back.rows == pages[0].rows and back.after == pages[0].after and not back.before


def test_only_wanted_stories_are_listed_and_few_are_asked_about_at_once(
    opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = ArchiveQuery.parse("Φωνή")
    wanted = {digest("s", "3"), digest("s", "5")}
    whole = find_mentions(*opened, query, meets=wanted.__contains__)
    assert {mention.story for mention in whole.rows} == wanted and not whole.after
    monkeypatch.setattr(mentions, "LOOK", 2)
    pages = [find_mentions(*opened, query, meets=wanted.__contains__)]
    while pages[-1].after:
        cursor = pages[-1].after
        pages.append(find_mentions(*opened, query, cursor=cursor, meets=wanted.__contains__))
    assert [len(page.rows) for page in pages] == [0, 1, 1]
    assert pages[0].looked_to == ("1998-05-01",) and not pages[-1].looked_to


def test_a_mention_says_where_it_stands(opened: Opened) -> None:
    (found,) = find_mentions(*opened, ArchiveQuery.parse('"του γιωργου"')).rows
    assert (found.title, found.section, found.passages) == ("Τίτλος 2", "Πόλη", 2)
    assert found.url == "https://paper.example/2"
    assert found.excerpt[:3] == (("Του", True), (" ", False), ("Γιώργου", True))


def test_counting_ends_where_it_would_tell_nothing_more(opened: Opened) -> None:
    query = ArchiveQuery.parse("Φωνή")
    assert count_mentions(opened[0], query).passages == 2 * len(TEXTS)
    some = count_mentions(opened[0], query, most=5)
    assert some.more and some.passages == 5 and some.stories == 3


def test_a_whole_text_keeps_its_lines_and_marks_its_words() -> None:
    parts = mark_words("Ο Βαλτινός\nκαι η Γέφυρα.", ArchiveQuery.parse("γέφυρες βαλτινού"))
    assert parts == (
        ("Ο ", False),
        ("Βαλτινός", True),
        ("\nκαι η ", False),
        ("Γέφυρα", True),
        (".", False),
    )


def test_an_excerpt_of_a_long_text_stands_around_the_word() -> None:
    text = "λέξη " * 200 + "και ο Βαλτινός " + "άλλη " * 200
    parts = make_excerpt(text, ArchiveQuery.parse("βαλτινού"))
    whole = "".join(part for part, _ in parts)
    assert [part for part, met in parts if met] == ["Βαλτινός"]
    assert len(whole) < 260 and whole.startswith("… ") and whole.endswith(" …")
    assert make_excerpt("Τίποτε.", ArchiveQuery.parse("βαλτινού")) == (("Τίποτε.", False),)


@pytest.mark.parametrize("hostile", ['" OR 1', "NEAR(a, b)", "terms:x", "a*", 'x" NEAR "y', "^a"])
def test_nothing_typed_is_an_operator(opened: Opened, hostile: str) -> None:
    dates(opened, hostile)


@pytest.mark.parametrize("nothing", ["", '""', "-γέφυρα", "...", "λέξη " * 41])
def test_a_search_for_nothing_is_one_line(nothing: str) -> None:
    with pytest.raises(UsageError):
        ArchiveQuery.parse(nothing)


def test_what_has_come_since_is_found_and_what_has_not_is_not_read(archive: Path) -> None:
    current_index(archive).close()
    made = (archive / FILE).stat()
    current_index(archive).close()
    assert (archive / FILE).stat().st_ino == made.st_ino
    spool = Spool.open(archive)
    with spool.transaction():
        add(spool, 90, "2024-01-01", "Και ο Βαλτινός πάλι.")
    with closing(current_index(archive)) as index:
        assert dates((index, {"paper": spool}), "Βαλτινός")[-1] == "2024-01-01"
    spool.close()


def test_the_index_of_a_large_archive_is_used_as_it_is_and_says_so(archive: Path) -> None:
    nothing, behind = usable_index(archive, 0)
    assert nothing is None and "not indexed" in behind
    current_index(archive).close()
    spool = Spool.open(archive)
    with spool.transaction():
        add(spool, 90, "2024-01-01", "Και ο Βαλτινός πάλι.")
    found, behind = usable_index(archive, 0)
    assert found is not None
    with closing(found):
        assert behind == f"the index has {found.count} passages and the archive {found.count + 1}"
        assert "2024-01-01" not in dates((found, {"paper": spool}), "Βαλτινός")
    found, behind = usable_index(archive, 1000)
    assert found is not None and not behind
    with closing(found):
        assert dates((found, {"paper": spool}), "Βαλτινός")[-1] == "2024-01-01"
    spool.close()


def test_who_want_the_index_at_the_same_time_have_it_made_once(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    build = SearchIndex.build

    def slow(*given: Any) -> SearchIndex:
        made.append(given)
        time.sleep(0.3)
        return build(*given)

    def wanted(_: int) -> int:
        with closing(current_index(archive)) as index:
            return index.count

    monkeypatch.setattr(SearchIndex, "build", slow)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(wanted, range(3))) == [2 * len(TEXTS)] * 3
    assert len(made) == 1
