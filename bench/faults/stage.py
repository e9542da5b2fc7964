"""A house with open tasks: numbered chunks, some of them poison."""

from __future__ import annotations

import random
from pathlib import Path

from bench.pretend import MARK, POISON
from exchange.house import House
from exchange.records import Chunk, Story, digest
from exchange.settings import Config, General, Redis
from exchange.spool import Spool
from workers import recipe

ARCHIVE = "demo"
SENTENCES = (
    "Ο δήμαρχος της πόλης εγκαινίασε τη γέφυρα του ποταμού μπροστά σε πλήθος κόσμου.",
    "Οι εργαζόμενοι του εργοστασίου κατέβηκαν σε απεργία για τις συμβάσεις τους.",
    "Η δασκάλα του χωριού τιμήθηκε για τα χρόνια που δίδαξε στο σχολείο.",
    "Το λιμάνι έμεινε κλειστό για μέρες εξαιτίας των ισχυρών ανέμων.",
)
# Chunk tasks only, so that their number is known beforehand.
NO_PLAN = "[plan]\n" + "".join(
    f"{kind} = 0\n"
    for kind in ("dense", "whois", "rephrase", "rephrase_least", "refusal", "correction", "replay")
)
CHUNKS = 5  # of a story
COMMIT = 5000  # chunks in one transaction


def make_house(
    folder: Path, *, model: str, engine: str, width: int, lease_s: int, max_tokens: int = 16
) -> House:
    """Write a config file and open its house."""
    path = folder / "kkoracle.toml"
    path.write_text(
        f'data = "data"\narchive = "{ARCHIVE}"\n[model]\nname = "{model}"\n'
        f"[redis]\nreconcile_s = 2\n"
        f'[work]\nengine = "{engine}"\nwidth = {width}\nlease_s = {lease_s}\ngrace_s = 2\n'
        f"max_tokens = {max_tokens}\n{NO_PLAN}",
        "utf-8",
    )
    config = Config.find(path)
    return House(
        config, config.table("", General), config.table("redis", Redis),
        lambda: recipe.current(config),
    )  # fmt: skip


def fill(
    house: House, count: int, seed: int, *, poison: int = 0, characters: int = 150
) -> set[str]:
    """Store `count` chunks with a task each; returns the ids of the chunks that are poison.

    A spool that holds as many already is left as it is.
    """
    spool = Spool.open(house.archive_dir())
    if spool.counters().get("chunks.live", 0) >= count:
        spool.close()
        return set()
    drawn = random.Random(seed)
    bad = set(drawn.sample(range(count), poison))
    poisoned = set()
    spool.adopt_recipe(house.recipe().id)
    bodies = [" ".join([s] * max(1, characters // len(s))) for s in SENTENCES]
    for start in range(0, count, COMMIT):
        with spool.transaction():
            for first in range(start, min(count, start + COMMIT), CHUNKS):
                story = _story(first)
                chunks = []
                for number in range(first, min(count, first + CHUNKS)):
                    mark = f"{POISON}. " if number in bad else ""
                    text = f"{bodies[number % len(bodies)]} {mark}{MARK}{number}."
                    chunks.append(_chunk(story, number, text))
                    if number in bad:
                        poisoned.add(chunks[-1].id)
                spool.put_page(f"page-{first}", "1", [(story, chunks)])
    spool.close()
    return poisoned


def _story(number: int) -> Story:
    date = f"{1996 + number // CHUNKS % 30}-01-05"
    story_id = digest(ARCHIVE, str(number))
    return Story(story_id, f"http://x/{number}", ARCHIVE, date, "Πόλη", "Τίτλος", "", "")


def _chunk(story: Story, number: int, text: str) -> Chunk:
    # Named by its number, not by its text: folding a million texts would take a minute.
    chunk_id = digest(story.id, str(number))
    return Chunk(chunk_id, story.id, number % CHUNKS, text, f"Φωνή, {story.published}, Τίτλος")
