"""Planning: as the corpus allows, in small steps, nothing twice, and never a false falsehood."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exchange.planning import context, kinds
from exchange.planning.kinds import EXCERPT_CHARS, MAX_EXCERPTS, MIN_STORIES
from exchange.planning.planner import Planner, PlanSettings, retire_tasks
from exchange.recipes.recipe import Recipe
from exchange.records import TOO_ALIKE, Chunk, Pair, Result, Story, Task, digest
from exchange.store import tasks
from exchange.store.spool import Spool
from tools.completions import made_up_completion

KINDS = {
    "chunk": "aaaaaa",
    "dense": "dddddd",
    "whois": "bbbbbb",
    "rephrase": "cccccc",
    "refusal": "eeeeee",
    "replay": "ffffff",
}
RECIPE = Recipe("aaaaaa", "el/chunk", "", "", "m", "el", KINDS)
QUESTIONS = tuple(f"Τι είναι το {number};" for number in range(100))
PEOPLE = ("Νίκος Βαλτινός", "Θωμάς Ριζινός", "Στέλιος Μωρινός", "Πέτρος Λιγερός", "Άγης Καρανός")
TOWNS = ("Κάτω Πέτρα", "Άνω Λίμνη", "Νέα Ξάνθη", "Παλιά Λαύρα")


def text(number: int) -> str:
    """A third of the chunks is rich in names and numbers."""
    who, where = PEOPLE[number % len(PEOPLE)], TOWNS[number % len(TOWNS)]
    plain = f"Στην πόλη {where} μίλησε ο {who} για το έργο το {1990 + number % 20}."
    rich = f" Το έργο κοστίζει {number}.400 ευρώ, κράτησε {number} μήνες και έγινε το 1987."
    return plain + (rich * 2 if number % 3 == 0 else " Η συζήτηση συνεχίστηκε ως αργά το βράδυ.")


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    opened = Spool.open(tmp_path)
    opened.adopt_recipe(RECIPE.id)
    fill(opened, 60)
    yield opened
    opened.close()


def fill(spool: Spool, count: int, first: int = 0) -> None:
    with spool.transaction():
        for number in range(first, first + count):
            told = text(number)
            story = story_of(number, told)
            chunk = Chunk(Chunk.make_id(story.id, told), story.id, 0, told, f"Φωνή, Φύλλο {number}")
            spool.put_page(f"page-{number}", "1", [(story, [chunk])])


def story_of(number: int, told: str) -> Story:
    return Story(
        id=digest("paper", str(number)),
        url="http://x",
        archive="paper",
        published=f"{1995 + number % 9}-02-03",
        section="",
        title="",
        author="",
        text=told,
    )


def place_pair(task: Task, asked: str) -> Pair:
    return Pair(
        id=Pair.make_id(task.id, asked, "Εδώ."),
        task_id=task.id,
        chunk_ids=task.chunk_ids,
        question=asked,
        answer="Εδώ.",
        kind="place",
        status="accepted",
    )


def answer_all(spool: Spool) -> list[Task]:
    """Every open task gets a result; a chunk's, one accepted pair."""
    done: list[Task] = []
    while batch := tasks.claim(spool, "paper", 100):
        results = []
        for task in batch:
            said = task.text.partition(" το έργο το ")[2][:4]
            who = next((p for p in PEOPLE if p in task.text), "")
            asked = f"Πού μίλησε το {said} ο {who} για το έργο {task.id[:5]};"
            told = place_pair(task, asked)
            near = place_pair(task, f"Αλλιώς: {task.text}").replace(
                status="rejected", reason=TOO_ALIKE, rephrase_of=task.given.get("pair", "")
            )
            pairs = {"chunk": (told,), "rephrase": (near,)}.get(task.kind, ())
            reply = made_up_completion(task.id)
            results.append(Result.of(reply, "paper", pairs, "" if pairs else "no-pair"))
        tasks.finish(spool, results)
        done += batch
    return done


def planner(questions: tuple[str, ...] = QUESTIONS, **settings: float) -> Planner:
    return Planner("paper", RECIPE, PlanSettings(**settings), questions)  # type: ignore[arg-type]


def until_settled(spool: Spool, planner: Planner) -> list[Task]:
    done: list[Task] = []
    for _ in range(20):
        planner.run(spool)
        new = answer_all(spool)
        done += new
        if not new and planner.is_idle(spool.counters()):
            return done
    raise AssertionError("the planner never settles")


def test_every_kind_is_planned_and_then_it_is_settled(spool: Spool) -> None:
    done = until_settled(spool, planner(rephrase=0.2, rephrase_least=0, refusal=0.2))
    kinds = Counter(task.kind for task in done)
    assert kinds["chunk"] == 60 and kinds["dense"] == 18 and kinds["replay"] == 6
    assert kinds["whois"] == 3  # 5 % of the chunks
    assert 3 <= kinds["rephrase"] <= 25 and kinds["refusal"]
    assert all(task.recipe == KINDS[task.kind] and task.language == "el" for task in done)


def test_a_step_done_again_makes_nothing_twice(spool: Spool) -> None:
    done = until_settled(spool, planner())
    again = until_settled(spool, planner())  # a new planner, as after a restart
    assert again == []
    spool.db.execute("DELETE FROM meta WHERE key LIKE 'plan.%'")  # it reads everything anew
    assert until_settled(spool, planner()) == []
    assert len({task.id for task in done}) == len(done)


def test_the_richest_are_found_however_many_steps_it_takes_to_read_all(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, size in (("CHUNKS_PER_STEP", 40), ("TASKS_PER_STEP", 7)):
        monkeypatch.setattr(f"exchange.planning.planner.{name}", size)
    fill(spool, 540, first=60)
    only = dict.fromkeys(("whois", "rephrase", "refusal", "correction", "replay"), 0.0)
    maker = planner(**only, rephrase_least=0, dense=0.3)
    while not maker.is_idle(spool.counters()):
        maker.run(spool)
    rows = spool.db.execute("SELECT subject FROM tasks WHERE kind='dense'").fetchall()
    chosen = {subject for (subject,) in rows}
    ranked = spool.db.execute(
        "SELECT c.id FROM richness r JOIN chunks c ON c.rowid=r.chunk "
        "ORDER BY r.density DESC, r.chunk LIMIT 180"
    ).fetchall()
    assert chosen == {chunk for (chunk,) in ranked}


def test_the_richest_chunks_are_the_dense_ones_and_new_ones_are_added(spool: Spool) -> None:
    only = {"whois": 0, "rephrase": 0, "refusal": 0, "correction": 0, "replay": 0}
    done = [t for t in until_settled(spool, planner(**only)) if t.kind == "dense"]
    assert len(done) == 18 and all("1987" in task.text for task in done)
    fill(spool, 60, first=60)
    more = [t for t in until_settled(spool, planner(**only)) if t.kind == "dense"]
    assert len(more) == 18 and not {t.id for t in more} & {t.id for t in done}


def test_who_is_brings_together_what_several_stories_say(spool: Spool) -> None:
    done = until_settled(spool, planner(whois=0.5))
    cards = [task for task in done if task.kind == "whois"]
    assert {task.header for task in cards} >= {*PEOPLE[:2], *TOWNS[:2]}
    for task in cards:
        assert len(task.chunk_ids) >= MIN_STORIES
        assert task.text.count(task.header) >= MIN_STORIES
        assert len(task.text) <= MAX_EXCERPTS * (EXCERPT_CHARS + 60)


def test_names_are_looked_at_once_until_more_is_read(spool: Spool) -> None:
    """A name of too few stories makes no task, and is no reason to look at it again and again."""
    with spool.transaction():  # one story in four chunks
        story = story_of(999, "Ο Ρήγας Μονιός μίλησε.")
        told = [f"Ο Ρήγας Μονιός μίλησε για {number}η φορά." for number in range(4)]
        chunks = [
            Chunk(Chunk.make_id(story.id, one), story.id, place, one, "Φωνή")
            for place, one in enumerate(told)
        ]
        spool.put_page("page-999", "1", [(story, chunks)])
    maker = planner(whois=0.5)
    done = until_settled(spool, maker)
    assert 0 < sum(task.kind == "whois" for task in done) < 30  # fewer than are wanted
    asked: list[str] = []
    spool.db.set_trace_callback(asked.append)
    spool.db.execute("UPDATE counters SET value=value+1 WHERE name='pairs.rejected'")
    maker.run(spool)  # something has changed, but nothing that a name has to tell
    planner(whois=0.5).run(spool)  # and so it is after a restart
    spool.db.set_trace_callback(None)
    assert any("FROM names" in statement for statement in asked)
    looked_up = ("SELECT 1 FROM tasks", "SELECT c.record, s.published FROM mentions")
    assert not [one for one in asked if one.startswith(looked_up)]

    fill(spool, 180, first=60)  # some names stand in four times as many stories now
    more = [task for task in until_settled(spool, maker) if task.kind == "whois"]
    assert {task.header for task in more} >= {*PEOPLE, *TOWNS}
    assert not {task.id for task in more} & {task.id for task in done}


def test_names_are_gone_on_with_after_a_kill_in_any_step(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exchange.planning.kinds.NAMES_PER_STEP", 2)
    whole, calls = kinds.plan_whois, 0

    def dies_every_second_time(context: context.PlanningContext) -> int:
        nonlocal calls
        made, calls = whole(context), calls + 1
        if calls % 2:
            raise KeyboardInterrupt  # before the step is written
        return made

    answer_all(spool)
    monkeypatch.setattr("exchange.planning.kinds.plan_whois", dies_every_second_time)
    only = dict.fromkeys(("dense", "rephrase", "refusal", "correction", "replay"), 0.0)
    kills = 0
    while True:
        maker = planner(**only, rephrase_least=0, whois=0.5)  # as after a restart
        try:
            maker.run(spool)
        except KeyboardInterrupt:
            kills += 1
        answer_all(spool)
        if maker.is_idle(spool.counters()):
            break
    rows = spool.db.execute("SELECT subject FROM tasks WHERE kind='whois'").fetchall()
    assert kills >= 5 and len(rows) == len({subject for (subject,) in rows})
    assert {subject.split("@")[0] for (subject,) in rows} == {
        context.name_key(name.split()) for name in (*PEOPLE, *TOWNS)
    }


def test_rephrasing_is_chosen_by_hash_and_tops_up_at_rest(spool: Spool) -> None:
    done = until_settled(spool, planner(rephrase=0.1, rephrase_least=25))
    asked = [task for task in done if task.kind == "rephrase"]
    assert len(asked) == 25
    kept = sorted(pair.id for pair, _ in spool.pairs() if pair.kind == "place")
    assert {task.given["pair"] for task in asked} == set(kept[:25])
    assert all(task.text == task.given["question"] and task.given["answer"] for task in asked)


def test_wordings_are_asked_for_once_more_from_what_came_of_the_first(spool: Spool) -> None:
    asking = planner(rephrase=0.1, rephrase_least=0)
    first = [task for task in until_settled(spool, asking) if task.kind == "rephrase"]
    kept = sorted(pair.id for pair, _ in spool.pairs() if pair.kind == "place")
    assert 0 < len(first) < 30

    wanting = planner(rephrase=0.1, rephrase_least=0, wordings=0.5)  # of an archive that is there
    asked = [task for task in until_settled(spool, wanting) if task.kind == "rephrase"]
    again = [task for task in asked if task.text.startswith("Αλλιώς: ")]
    every = first + [task for task in asked if task not in again]
    half = {name for name in kept if int(name[:8], 16) / 2**32 < 0.5}
    assert {task.given["pair"] for task in every} == half | {t.given["pair"] for t in first}
    assert {task.given["pair"] for task in again} == half and len(again) == len(half)
    originals = {task.given["pair"]: task.text for task in every}
    assert all(task.text == f"Αλλιώς: {originals[task.given['pair']]}" for task in again)
    assert until_settled(spool, planner(rephrase_least=0, wordings=0.5)) == []


def test_a_false_premise_is_false_as_far_as_the_archive_goes(spool: Spool) -> None:
    done = until_settled(spool, planner(refusal=0.25, correction=0.25))
    twisted = [task for task in done if task.kind == "refusal"]
    corrected = [task for task in twisted if task.given["true"]]
    assert corrected
    stored = {chunk.id: chunk.text for chunk in spool.chunks()}
    for task in twisted:
        asked = task.given["question"]
        who = [person for person in PEOPLE if person in asked]
        year = asked.partition("το ")[2][:4]
        assert who, asked
        # Nobody of that name spoke in that year, in any chunk.
        assert not any(who[0] in told and f"το έργο το {year}" in told for told in stored.values())
    for task in corrected:
        assert task.text and task.given["true"] not in task.given["question"]


def test_a_share_of_nothing_leaves_a_kind_out(spool: Spool) -> None:
    nothing = dict.fromkeys(("dense", "whois", "rephrase", "refusal", "correction", "replay"), 0)
    done = until_settled(spool, planner(**nothing))
    assert {task.kind for task in done} == {"chunk"}


def test_a_prompt_family_without_other_kinds_plans_none(spool: Spool) -> None:
    only_chunks = Recipe("aaaaaa", "", "", "", "m", "el", {"chunk": "aaaaaa"})
    alone = Planner("paper", only_chunks, PlanSettings())
    assert alone.run(spool) == 0 and alone.is_idle(spool.counters())


def test_another_prompt_makes_only_its_own_kind_anew(spool: Spool) -> None:
    done = until_settled(spool, planner())
    changed = Recipe("aaaaaa", "el/chunk", "", "", "m", "el", {**KINDS, "dense": "999999"})
    retire_tasks(spool, changed)
    more = until_settled(spool, Planner("paper", changed, PlanSettings(), QUESTIONS))
    assert {task.kind for task in more} == {"dense"} and len(more) == 18
    assert not {task.id for task in more} & {task.id for task in done}


def test_a_task_can_be_judged_again_when_its_source_has_changed(spool: Spool) -> None:
    done = until_settled(spool, planner())
    for task in done[::7]:
        (again,) = tasks.load_tasks(spool, "paper", "t.id=?", (task.id,))
        assert again == task


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("Μίλησε ο Νίκος Βαλτινός.", ["Νίκος Βαλτινός"]),
        ("Του Νίκου Βαλτινού", ["Νίκου Βαλτινού"]),
        ("Στη Νέα Πέτρα έγινε κάτι.", ["Νέα Πέτρα"]),
        ("Η ΑΔΕΔΥ και το ΠΑΜΕ.", ["ΑΔΕΔΥ", "ΠΑΜΕ"]),
        ("Στην Αθήνα. Ο δήμαρχος.", []),
    ],
)
def test_names_are_told_by_their_capitals(told: str, wanted: list[str]) -> None:
    assert [name for _, name in context.find_names(told)] == wanted


def test_cases_of_a_name_have_one_key() -> None:
    keys: Callable[[str], str] = lambda name: context.name_key(name.split())  # noqa: E731
    assert keys("Νίκος Βαλτινός") == keys("Νίκου Βαλτινού") == keys("Νίκο Βαλτινό")
    assert keys("Νίκος Βαλτινός") != keys("Νίκος Βαλτίδης")
