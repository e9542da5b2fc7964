"""A house with open tasks: one story of one chunk each, numbered, some of them poison."""

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
COMMIT = 5000  # stories in one transaction


def make_house(folder: Path, *, model: str, engine: str, width: int, lease_s: int) -> House:
    """Write a config file and open its house."""
    path = folder / "kkoracle.toml"
    path.write_text(
        f'data = "data"\narchive = "{ARCHIVE}"\n[model]\nname = "{model}"\n'
        f"[redis]\nreconcile_s = 2\n"
        f'[work]\nengine = "{engine}"\nwidth = {width}\nlease_s = {lease_s}\ngrace_s = 2\n'
        "max_tokens = 16\n",
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
    """Store `count` chunks with a task each; returns the ids of the chunks that are poison."""
    drawn = random.Random(seed)
    bad = set(drawn.sample(range(count), poison))
    poisoned = set()
    spool = Spool.open(house.archive_dir())
    spool.adopt_recipe(house.recipe().id)
    for start in range(0, count, COMMIT):
        with spool.transaction():
            for number in range(start, min(count, start + COMMIT)):
                story, chunk = _story(number, characters, poison=number in bad)
                spool.put_page(f"page-{number}", "1", [(story, [chunk])])
                if number in bad:
                    poisoned.add(chunk.id)
    spool.close()
    return poisoned


def _story(number: int, characters: int, *, poison: bool) -> tuple[Story, Chunk]:
    sentence = SENTENCES[number % len(SENTENCES)]
    body = " ".join([sentence] * max(1, characters // len(sentence)))
    text = f"{body} {POISON + '. ' if poison else ''}{MARK}{number}."
    story_id = digest(ARCHIVE, str(number))
    date = f"{1996 + number % 30}-01-05"
    story = Story(story_id, f"http://x/{number}", ARCHIVE, date, "Πόλη", "Τίτλος", "", "")
    header = f"Φωνή, 5/1/{date[:4]}, Τίτλος"
    return story, Chunk(Chunk.make_id(story_id, text), story_id, 0, text, header)
