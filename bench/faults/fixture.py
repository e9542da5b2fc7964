"""A project with open tasks: numbered chunks, some of them poison, or those of a newspaper."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import count as numbers
from itertools import islice
from pathlib import Path

from bench.pretend import MARK, POISON
from crawler.extract.chunk import pack_sentences
from exchange.project import Project
from exchange.records import Chunk, Story, digest
from exchange.settings import Config, GeneralSettings, RedisSettings
from exchange.store.spool import Spool
from exchange.text import dates
from kkoracle.demo.newspaper import build_newspaper
from workers.settings import current_recipe

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
COMMIT = 1000  # stories in one transaction
SIZE = 600  # characters of a newspaper's chunk: a whole story of it, asked about for seconds
Page = tuple[Story, list[Chunk]]


def make_project(
    folder: Path,
    *,
    model: str,
    engine: str,
    width: int,
    lease_s: int,
    max_tokens: int = 16,
    prompt: str = "el/chunk",
) -> Project:
    """Write a config file and open its project."""
    path = folder / "kkoracle.toml"
    path.write_text(
        f'data = "data"\narchive = "{ARCHIVE}"\n[model]\nname = "{model}"\n'
        f"[redis]\nreconcile_s = 2\n"
        f'[work]\nengine = "{engine}"\nwidth = {width}\nlease_s = {lease_s}\ngrace_s = 2\n'
        f'prompt = "{prompt}"\n'
        f"max_tokens = {max_tokens}\n{NO_PLAN}",
        "utf-8",
    )
    config = Config.find(path)
    return Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        lambda: current_recipe(config),
    )


def fill(
    project: Project, count: int, seed: int, *, poison: int = 0, characters: int = 150
) -> set[str]:
    """Store `count` numbered chunks with a task each; returns the ids of those that are poison.

    A spool that holds as many already is left as it is.
    """
    bad = set(random.Random(seed).sample(range(count), poison))
    _store(project, _numbered(count, bad, characters), count)
    return {_chunk_id(_story_id(number - number % CHUNKS), number % CHUNKS) for number in bad}


def fill_from_newspaper(project: Project, count: int, seed: int) -> None:
    """The same with chunks of the sample newspaper, of as many editions as it takes."""
    _store(project, _printed(count, seed), count)


def _store(project: Project, pages: Iterator[Page], count: int) -> None:
    spool = Spool.open(project.archive_dir())
    try:
        if spool.counters().get("chunks.live", 0) >= count:
            return
        spool.adopt_recipe(project.recipe().id)
        while batch := list(islice(pages, COMMIT)):
            with spool.transaction():
                for story, chunks in batch:
                    spool.put_page(story.url, "1", [(story, chunks)])
    finally:
        spool.close()


def _numbered(count: int, bad: set[int], characters: int) -> Iterator[Page]:
    bodies = [" ".join([s] * max(1, characters // len(s))) for s in SENTENCES]
    for first in range(0, count, CHUNKS):
        story = _story(first, f"{1996 + first // CHUNKS % 30}-01-05")
        texts = [
            " ".join((bodies[n % len(bodies)], *[f"{POISON}."] * (n in bad), f"{MARK}{n}."))
            for n in range(first, min(count, first + CHUNKS))
        ]
        yield story, _chunks(story, f"Φωνή, {story.published}, Τίτλος", texts)


def _printed(count: int, seed: int) -> Iterator[Page]:
    told = 0
    for edition in numbers(seed):
        paper = build_newspaper(seed=edition)
        for printed in paper.stories:
            if told == count:
                return
            story = _story(told, printed.date.isoformat())
            header = f"{paper.name}, {dates.format_date(story.published)}, {printed.title}"
            texts = pack_sentences(list(printed.paragraphs), SIZE)[: count - told]
            told += len(texts)
            yield story, _chunks(story, header, texts)


def _story(number: int, published: str) -> Story:
    address = f"http://x/{number}"
    return Story(
        id=_story_id(number),
        url=address,
        archive=ARCHIVE,
        published=published,
        section="Πόλη",
        title="Τίτλος",
        author="",
        text="",
    )


def _story_id(number: int) -> str:
    return digest(ARCHIVE, str(number))


def _chunk_id(story: str, place: int) -> str:
    # By its place, not by its text: folding a million texts would take a minute.
    return digest(story, str(place))


def _chunks(story: Story, header: str, texts: list[str]) -> list[Chunk]:
    return [
        Chunk(_chunk_id(story.id, place), story.id, place, text, header)
        for place, text in enumerate(texts)
    ]
