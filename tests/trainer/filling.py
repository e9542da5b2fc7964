"""Accepted pairs for a spool, as the collector stores them: small facts that can be learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from exchange.records import TOO_ALIKE, Chunk, Pair, Result, Story, Task, digest
from exchange.store import tasks
from exchange.store.spool import Spool
from tools.completions import made_up_completion

PEOPLE = ("Νίκος Βαλτινός", "Ελένη Καρατζά", "Στέλιος Μωράκης", "Άννα Λυγερού", "Θωμάς Ρίζος")
ACTS = ("άνοιξε το σχολείο", "έκλεισε το λιμάνι", "έγραψε το τραγούδι", "έχτισε τη γέφυρα")
RECIPE = "abc123"


SYLLABLES = ("κα", "λο", "πετ", "ρυ", "μη", "σω", "βαν", "θι", "γεν", "δρα", "ξε", "φου")


def town(story: int) -> str:
    """A name of its own for every story, of four syllables; neighbours do not look alike."""
    rest = story * 7919 % 12**4  # 7919 and 12 share no factor: no name comes twice
    return "".join(SYLLABLES[rest // 12**place % 12] for place in range(4)).title()


def question(story: int, number: int) -> str:
    return f"{town(story)}: ποιος {ACTS[number % len(ACTS)]};"


def answer(story: int, number: int) -> str:
    return f"Το έκανε ο {PEOPLE[(story * 7 + number * 3) % len(PEOPLE)]}."


def fill(
    directory: Path,
    stories: int,
    per_story: int = 3,
    *,
    archive: str = "paper",
    first: int = 0,
    cluster: Callable[[int], str] = lambda number: "",
    published: Callable[[int], str] = lambda number: "2001-02-03",
    section: Callable[[int], str] = lambda number: "",
    header: Callable[[int], str] = lambda number: "Φωνή",
    aside: Callable[[int], str] = lambda number: "",
    rephrased: int = 0,
    alike: int = 0,
    extra: Sequence[tuple[str, str]] = (),
    again: Callable[[int], Sequence[tuple[str, str]]] = lambda number: (),
) -> None:
    """Stories with one chunk and `per_story` accepted pairs each, and one rejected pair.

    The first pair of each of the first `rephrased` stories is asked once more in other words, and
    that of the first `alike` ones in nearly the same, which the checks reject.
    `again` are further rephrasings of it, with the reason of their rejection ("": none).
    `extra` are further accepted questions and answers, all of the first story; `aside` is what a
    chunk says before its facts.
    """
    spool = Spool.open(directory)
    spool.set_meta("recipe", RECIPE)
    results = []
    with spool.transaction():
        for number in range(first, first + stories):
            story_id = digest(archive, str(number))
            text = aside(number) + " ".join(answer(number, k) for k in range(per_story))
            chunk = Chunk(Chunk.make_id(story_id, text), story_id, 0, text, header(number))
            story = Story(
                id=story_id,
                url=f"http://x/{number}",
                archive=archive,
                published=published(number),
                section=section(number),
                title="Τίτλος",
                author="",
                text=text,
                cluster=cluster(number),
            )
            spool.put_page(f"page-{number}", "1", [(story, [chunk])])
            said = [(question(number, k), answer(number, k)) for k in range(per_story)]
            other = [*again(number)]
            if number < first + rephrased:
                other.append((otherwise(number), ""))
            if number < first + alike:
                other.append((nearly(number), TOO_ALIKE))
            results.append(_result(chunk, said + (list(extra) if number == first else []), other))
    tasks.finish(spool, results)
    accept_duplicates(spool)
    spool.close()


def accept_duplicates(spool: Spool) -> None:
    """Undo what the collector does, as in a file of pairs that was made elsewhere."""
    with spool.transaction() as db:
        for (record,) in db.execute("SELECT record FROM pairs WHERE reason='duplicate'").fetchall():
            pair = Pair.from_json(record).replace(status="accepted", reason="", duplicate_of="")
            db.execute(
                "UPDATE pairs SET status=?, reason='', record=? WHERE id=?",
                (pair.status, pair.to_json(), pair.id),
            )


def otherwise(story: int) -> str:
    """The first question of a story in words that share only the town with it."""
    return f"Σε ποιον ανήκει το έργο που παραδόθηκε στους κατοίκους της πόλης {town(story)};"


def nearly(story: int) -> str:
    """The first question of a story, with another word before it."""
    return f"{town(story)}: ξέρεις ποιος {ACTS[0]};"


def _result(
    chunk: Chunk, said: Sequence[tuple[str, str]], again: Sequence[tuple[str, str]]
) -> Result:
    """Accepted pairs, and their first one asked again: the question, and why it was rejected."""
    task_id = Task.make_id("chunk", (chunk.id,), RECIPE)
    completion = made_up_completion(task_id, "raw")
    pairs = [
        Pair(
            id=Pair.make_id(task_id, q, a),
            task_id=task_id,
            chunk_ids=(chunk.id,),
            question=q,
            answer=a,
            kind="fact",
            status="accepted",
        )
        for q, a in said
    ]
    for q, reason in again:
        pairs.append(
            Pair(
                id=Pair.make_id(task_id, q, said[0][1]),
                task_id=task_id,
                chunk_ids=(chunk.id,),
                question=q,
                answer=said[0][1],
                kind="fact",
                status="rejected" if reason else "accepted",
                reason=reason,
                rephrase_of=pairs[0].id,
            )
        )
    pairs.append(
        Pair(
            id=Pair.make_id(task_id, "?", "."),
            task_id=task_id,
            chunk_ids=(chunk.id,),
            question="?",
            answer=".",
            kind="fact",
            status="rejected",
            reason="no_question_mark",
        )
    )
    return Result(task_id, "paper", "", completion, tuple(pairs))
