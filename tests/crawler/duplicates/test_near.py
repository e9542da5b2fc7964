"""Near-duplicates: teasers, editions, repeats, and what only looks like one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from crawler.duplicates import shingles
from crawler.duplicates.near import (
    COMMON,
    CONTAINED,
    SAMPLED,
    SITE_PARAGRAPH,
    NearDuplicates,
)
from exchange.records import Chunk, Story, digest
from exchange.store.spool import Spool
from kkoracle.demo.newspaper import build_newspaper

WORDS = ("εργάτες", "λιμάνι", "νερό", "σχολείο", "δρόμος", "απεργία", "βουνό", "ψάρι", "ψωμί")


def text_of(seed: object, words: int = 120) -> str:
    dice = random.Random(f"text {seed}")
    made = [
        dice.choice(WORDS) + dice.choice("αβγδεζ") + str(dice.randrange(7)) * 0
        for _ in range(words)
    ]
    return "\n\n".join(" ".join(made[i : i + 40]) + "." for i in range(0, words, 40))


def make(name: str, text: str) -> Story:
    return Story(
        id=digest("paper", name),
        url=f"http://x/{name}",
        archive="paper",
        published="1998-01-05",
        section="",
        title=name,
        author="",
        text=text,
    )


class Shelf:
    """A spool into which stories are placed as the desk does it."""

    def __init__(self, folder: Path) -> None:
        self.spool = Spool.open(folder)
        self.spool.adopt_recipe("aaaaaa")
        self.near = NearDuplicates(self.spool)

    def put(self, name: str, text: str) -> Story:
        story = make(name, text)
        with self.spool.transaction():
            placed = self.near.assign_cluster(story)
            chunk = Chunk(Chunk.make_id(story.id, text), story.id, 0, text, "x")
            self.spool.put_page(name, "1", [(placed, [chunk])])
        return placed

    def marks(self, name: str) -> set[str]:
        return self.spool.marks(digest("paper", name))

    def cluster(self, *names: str) -> int:
        clusters = self.spool.clusters()
        return len({clusters[digest("paper", name)] for name in names})

    def tasks(self, name: str) -> list[str]:
        rows = self.spool.db.execute(
            "SELECT t.state FROM tasks t JOIN chunks c ON c.id=t.subject WHERE c.story_id=?",
            (digest("paper", name),),
        )
        return [row["state"] for row in rows]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def test_of_two_hundred_teasers_all_are_found_and_nothing_else(shelf: Shelf) -> None:
    """The sample newspaper's stories, and of 200 of them the first sentences on page one."""
    stories = build_newspaper(7, 320).stories
    dice = random.Random(7)
    chosen = dice.sample([s for s in stories if len(s.paragraphs[0].split()) >= 14], 200)
    late = set(dice.sample(range(200), 100))  # half of the teasers come before their stories
    wanted = {s.id for s in chosen}
    for at, story in enumerate(chosen):
        if at not in late:
            shelf.put(f"teaser {story.id}", _teaser(story.paragraphs))
    for story in stories:
        shelf.put(str(story.id), "\n\n".join(story.paragraphs))
    for at, story in enumerate(chosen):
        if at in late:
            shelf.put(f"teaser {story.id}", _teaser(story.paragraphs))
    found = [
        s
        for s in chosen
        if shelf.marks(f"teaser {s.id}") & {"teaser", "edition"}
        and shelf.cluster(f"teaser {s.id}", str(s.id)) == 1
    ]
    assert len(found) == 200
    assert not [s.id for s in stories if shelf.marks(str(s.id))]
    clusters = shelf.spool.clusters()
    assert len(set(clusters.values())) == len(stories)
    assert len(wanted) == 200


def _teaser(paragraphs: tuple[str, ...]) -> str:
    words = paragraphs[0].split()
    return " ".join(words[: max(14, len(words) // 3)]) + " ΣΕΛ. 16-17"


def test_what_comes_every_week_with_other_numbers_and_names_is_not_merged(shelf: Shelf) -> None:
    for week in range(60):
        dice = random.Random(week)
        shelf.put(
            f"draw {week}",
            f"Στην κλήρωση της {week + 100}ης εβδομάδας κληρώθηκαν οι αριθμοί "
            f"{dice.randrange(49)}, {dice.randrange(49)}, {dice.randrange(49)} και "
            f"{dice.randrange(49)}. Οι τυχεροί παίρνουν τα κέρδη τους από τα γραφεία της "
            f"εταιρείας ως τις {dice.randrange(28)} του μήνα με την ταυτότητά τους. Βρέθηκαν "
            f"{dice.randrange(900)} νικητές που μοιράζονται {dice.randrange(90000)} ευρώ.",
        )
    clusters = shelf.spool.clusters()
    assert len(set(clusters.values())) == 60
    assert not any(shelf.marks(f"draw {week}") - {"boilerplate"} for week in range(60))


def test_the_first_edition_stands_in_the_second_whichever_comes_first(shelf: Shelf) -> None:
    first = text_of("a")
    second = first + "\n\n" + text_of("more", 30)
    shelf.put("late", second)
    shelf.put("early", first)
    shelf.put("early2", text_of("b"))
    shelf.put("late2", text_of("b") + "\n\n" + text_of("rest", 30))
    assert shelf.marks("early") == shelf.marks("early2") == {"edition"}
    assert not shelf.marks("late") and not shelf.marks("late2")
    assert shelf.cluster("early", "late") == shelf.cluster("early2", "late2") == 1
    assert shelf.cluster("early", "early2") == 2


def test_a_story_word_for_word_again_is_a_duplicate_and_gives_no_task(shelf: Shelf) -> None:
    shelf.put("one", text_of(1))
    shelf.put("two", text_of(1))
    assert (shelf.marks("one"), shelf.marks("two")) == (set(), {"duplicate"})
    assert (shelf.tasks("one"), shelf.tasks("two")) == (["new"], ["stale"])
    assert shelf.spool.counters()["marks.duplicate"] == 1


def test_a_story_that_is_found_to_be_a_teaser_later_waits_no_more(shelf: Shelf) -> None:
    shelf.put("teaser", text_of(5, 40))
    assert shelf.tasks("teaser") == ["new"]
    shelf.put("whole", text_of(5, 40) + "\n\n" + text_of(6, 120))
    assert shelf.marks("teaser") == {"teaser"}
    assert (shelf.tasks("teaser"), shelf.tasks("whole")) == (["stale"], ["new"])


def test_a_later_story_that_bridges_two_clusters_makes_them_one(shelf: Shelf) -> None:
    shelf.put("left", text_of("left"))
    shelf.put("right", text_of("right"))
    shelf.put("copy", text_of("right"))
    assert shelf.cluster("left", "right") == 2
    shelf.put("both", text_of("left") + "\n\n" + text_of("right"))
    assert shelf.cluster("left", "right", "copy", "both") == 1
    assert {story.cluster for story in shelf.spool.stories()} <= {"", digest("paper", "left")}


def test_placing_a_story_again_changes_nothing(shelf: Shelf) -> None:
    shelf.put("one", text_of(1))
    shelf.put("two", text_of(1))
    before = list(shelf.spool.db.iterdump())
    shelf.put("one", text_of(1))
    shelf.put("two", text_of(1))
    assert list(shelf.spool.db.iterdump()) == before


def test_a_changed_text_is_no_duplicate_any_more_and_gets_its_task(shelf: Shelf) -> None:
    shelf.put("one", text_of(1))
    shelf.put("two", text_of(1))
    shelf.put("two", text_of(2))
    assert shelf.marks("two") == set()
    assert "new" in shelf.tasks("two")


def test_paragraphs_of_the_site_are_no_sign_of_a_copy(shelf: Shelf) -> None:
    project = text_of("house", 40)
    for number in range(3 * SITE_PARAGRAPH):
        shelf.put(str(number), text_of(number, 40) + "\n\n" + project)
    assert len(set(shelf.spool.clusters().values())) == 3 * SITE_PARAGRAPH
    assert shelf.spool.counters().get("marks.edition", 0) == 0
    last = shelf.put("last", project + "\n\nΜία μόνο φράση του ίδιου.")
    assert "boilerplate" in last.marks


def test_twelve_words_in_a_row_are_always_noticed() -> None:
    """The guarantee of winnowing, on texts that have just such a passage in common."""
    dice = random.Random(3)
    for trial in range(200):
        shared = [f"κοινή{trial}λέξη{n}" for n in range(shingles.WINDOW + shingles.LENGTH - 1)]
        texts = [[f"άλλη{dice.randrange(10**9)}" for _ in range(200)] for _ in range(2)]
        for text in texts:
            at = dice.randrange(len(text))
            text[at:at] = shared
        one, other = (shingles.winnow(shingles.shingles(text)) for text in texts)
        assert one & other


def test_a_phrase_of_very_many_stories_costs_one_row(shelf: Shelf) -> None:
    phrase = " ".join(f"{word}ων" for word in (*WORDS, *WORDS, "τέλος"))
    for number in range(COMMON + 5):
        shelf.put(f"story-{number}", f"{text_of(number)} {phrase}.")
    wide = shelf.spool.db.execute(
        "SELECT count(*) AS stories FROM near_prints GROUP BY print ORDER BY stories DESC LIMIT 1"
    ).fetchone()
    assert wide["stories"] <= COMMON + 1
    stock = shelf.spool.db.execute("SELECT print FROM near_prints WHERE serial=0").fetchall()
    assert stock
    shelf.put("first", f"{text_of('first')} {phrase}.")
    shelf.put("again", f"{text_of('first')} {phrase}. {text_of('more', 20)}")
    assert shelf.cluster("first", "again") == 1 and shelf.cluster("story-1", "story-2") == 2
    now = shelf.spool.db.execute("SELECT print FROM near_prints WHERE serial=0").fetchall()
    assert len(now) >= len(stock)


@pytest.mark.parametrize("step", [26, 30, 40])
def test_a_word_changed_here_and_there_leaves_enough_in_common(step: int) -> None:
    """Whatever is contained to the share that makes a copy passes the look at the samples."""
    dice = random.Random(step)
    copies = 0
    for number in range(60):
        words = text_of(number, dice.randrange(30, 400)).split()
        changed = list(words)
        for at in range(dice.randrange(step), len(words), step):
            changed[at] = f"άλλη{at}"
        one, other = (
            shingles.shingles(shingles.folded_words([" ".join(w)])) for w in (words, changed)
        )
        if shingles.containment(set(one), set(other)) < CONTAINED:
            continue
        copies += 1
        common = shingles.winnow(one) & shingles.winnow(other)
        assert len(common) >= SAMPLED * min(len(set(one)), len(set(other))) - 1
    assert copies > 10


def test_a_spool_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.put("old", text_of(1))
    with shelf.spool.transaction():
        shelf.spool.db.execute("DROP TRIGGER near_sample_is_old")
        for column in ("shingles", "sample"):
            shelf.spool.db.execute(f"ALTER TABLE near_stories DROP COLUMN {column}")
    shelf.spool.close()
    later = Shelf(tmp_path)
    later.put("new", f"{text_of(1)} {text_of(2, 30)}")
    assert later.cluster("old", "new") == 1
    later.spool.close()


def test_short_texts_that_an_earlier_version_kept_among_the_samples_are_found(
    tmp_path: Path,
) -> None:
    story = text_of(1)
    teaser = " ".join(story.split()[3:14])
    shelf = Shelf(tmp_path)
    shelf.put("teaser", teaser)
    shelf.put("long", text_of(2))
    with shelf.spool.transaction():
        shelf.spool.db.execute("INSERT INTO near_prints SELECT * FROM near_short_prints")
        shelf.spool.db.execute("DROP TABLE near_short_prints")
    shelf.spool.close()
    later = Shelf(tmp_path)
    later.put("story", story)
    assert later.cluster("teaser", "story") == 1 and later.marks("teaser") == {"teaser"}
    assert later.cluster("long", "story") == 2
    moved, left = (
        {row[0] for row in later.spool.db.execute(f"SELECT serial FROM {table}")}
        for table in ("near_short_prints", "near_prints")
    )
    assert moved == {1} and left == {2, 3}
    later.spool.close()


def test_the_shortest_text_is_found_in_a_story_that_comes_later(shelf: Shelf) -> None:
    """Too short for a sample of the long one to meet it: all of that one's fingerprints do."""
    for number in range(40):
        story = text_of(number)
        shelf.put(f"teaser {number}", " ".join(story.split()[number : number + 6]))
        shelf.put(f"story {number}", story)
        assert shelf.marks(f"teaser {number}") == {"teaser"}


def test_a_text_that_an_older_process_changed_is_found_by_what_it_says_now(shelf: Shelf) -> None:
    shelf.put("changed", text_of(1))
    with shelf.spool.transaction():
        now = text_of(2)
        story = make("changed", now)
        chunk = Chunk(Chunk.make_id(story.id, now), story.id, 0, now, "x")
        shelf.spool.put_page("changed", "1", [(story, [chunk])])
        # What a version without samples writes: the new text's hash and fingerprints.
        whole = shingles.stable_hash("\n".join(now.split("\n\n")))
        shelf.spool.db.execute("UPDATE near_stories SET text=? WHERE story_id=?", (whole, story.id))
        shelf.spool.db.executemany(
            "INSERT OR IGNORE INTO near_prints SELECT ?, serial FROM near_stories WHERE story_id=?",
            [
                (print_, story.id)
                for print_ in shingles.winnow(shingles.shingles(shingles.folded_words([now])))
            ],
        )
    shelf.put("copy", f"{now} {text_of(3, 30)}")
    assert shelf.cluster("changed", "copy") == 1
