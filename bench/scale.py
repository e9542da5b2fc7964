"""How each store and stage grows with the archive: does twice as much take twice as long, or more?

Archives of several sizes go the way of a crawl without its network: stories are put into clusters,
stored, cut and asked about; a task of each is answered and collected; then the dataset, the index
of the search, the pairs' index, a batch's requests, and what status and lists look at. The growth
of a stage is the exponent of its processor time between the two largest sizes: 1 is in proportion,
0 not at all. Every figure of a stage is in microseconds a story, of a look in milliseconds.

NAME_N            what the stage or look took with N stories
NAME_exponent     its growth; the two sizes that it is fitted on are the last in `sizes`
worst_exponent    the largest, and `worst` is whose it is
spool_kb_N        the spool's size, in kilobytes a story
rss_mb            the most memory of this process, which holds a whole dataset at a time
"""

from __future__ import annotations

import argparse
import math
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

from bench.demo import working_folder
from bench.registry import BenchSettings, Figures
from crawler.duplicates.near import NearDuplicates
from exchange.planning.planner import Planner, PlanSettings
from exchange.records import Chunk, Result, Story, Task
from exchange.store import tasks
from exchange.store.joined_lists import JoinedPairs, list_joined_stories
from exchange.store.pair_index import PairIndex
from exchange.store.pairs import PairFilter
from exchange.store.spool import FILE, Spool
from exchange.store.stories import StoryFilter, count_stories
from kkoracle.api import OracleProject
from kkoracle.status.read import read_status
from tools.completions import made_up_completion
from tools.large_spool import Cast, chunks_of, make_cast, make_pairs, make_story
from trainer.dataset import DatasetRequest, build_dataset
from trainer.dataset.settings import DatasetSettings
from trainer.evaluate.rag.archive import current_index
from workers.batch.requests import write_batch
from workers.settings import WorkSettings, prompt_registry

SEED = 20_141
NOT_FOR_JUDGING = ("*_1*", "spool_*", "rss_mb")
SIZES, QUICK_SIZES = (10_000, 100_000, 1_000_000), (10_000, 31_623, 100_000)
EDITIONS = 0.03  # of the stories: an earlier one with more to it
COMMIT = 500  # stories of one transaction
TRIES = 5  # of a look; the least counts
SHORTEST_S = 1e-3  # what a look takes that takes no time at all
CONFIG = 'data = "{data}"\narchive = "large"\n[model]\nname = "none"\n[work]\nprompt = "el/chunk"\n'
SETTINGS = DatasetSettings.model_validate({"answer_cap": 0, "entity_share": 0})
LOOKS = {
    "first_page": StoryFilter(),
    "section": StoryFilter(section="Διεθνή", since="2004", until="2009"),
    "rare_mark": StoryFilter(mark="instruction"),
    "waiting": StoryFilter(state="waiting"),
}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--sizes", type=int, nargs="+", help="stories; default as said above")
    parser.add_argument("--dir", type=Path, help="keep all archives here; must be empty")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Go the whole way at every size, and fit the growth."""
    sizes = sorted(args.sizes or (QUICK_SIZES if settings.quick else SIZES))
    taken: dict[str, dict[int, float]] = {}
    figures: Figures = {"sizes": sizes}
    with working_folder(args.dir) as folder:
        for size in sizes:
            settings.log(f"{size:,} stories")
            way = ArchiveWay(folder / str(size), size)
            for name, seconds in way.stages():
                settings.log(f"  {name}: {seconds:.2f} s")
                taken.setdefault(name, {})[size] = seconds
            figures[f"spool_kb_{size}"] = round(way.spool_bytes / 1e3 / size, 2)
    looks = {name for name in taken if name.startswith("look_")}
    for name, by_size in taken.items():
        for size, seconds in by_size.items():
            unit = 1e3 if name in looks else 1e6 / size
            figures[f"{name}_{size}"] = round(unit * seconds, 2)
    grown = {name: exponent(by_size) for name, by_size in taken.items()}
    figures |= {f"{name}_exponent": round(value, 3) for name, value in grown.items()}
    worst = max(grown, key=lambda name: grown[name])
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return figures | {
        "worst_exponent": round(grown[worst], 3),
        "worst": worst,
        "rss_mb": round(rss_mb),
    }


def exponent(by_size: dict[int, float]) -> float:
    """The growth between the two largest sizes."""
    (small, one), (large, other) = sorted(by_size.items())[-2:]
    return math.log(max(other, SHORTEST_S) / max(one, SHORTEST_S)) / math.log(large / small)


class ArchiveWay:
    """One archive from nothing to a dataset; `stages` yields what each step took of a processor."""

    def __init__(self, folder: Path, stories: int) -> None:
        folder.mkdir(parents=True)
        config = folder / "kkoracle.toml"
        config.write_text(CONFIG.format(data=folder / "data"), "utf-8")
        self.project = OracleProject.open(config)
        self.directory = self.project.archive_dir()
        self._stories = stories
        self._rng = random.Random(SEED)
        # As many sentences as stories: each recurs about as often, however large the archive is.
        self._cast: Cast = make_cast(self._rng, stories)
        self._recipe = self.project.recipe_for("el")
        self._last = ""

    @property
    def spool_bytes(self) -> int:
        return (self.directory / FILE).stat().st_size

    def stages(self) -> Iterator[tuple[str, float]]:
        """Name and seconds of processor, in the order of an archive's life."""
        yield from self._store()
        yield "collector", self._collect()
        yield "planner", timed(self._plan)
        yield "dataset", timed(self._build)
        yield "index", timed(lambda: current_index(self.directory).close())
        yield "pair_index", timed(self._index_pairs)
        yield "requests", timed(self._write_requests)
        yield "look_status", self._look(lambda: read_status(self.project, "large"))
        with closing(Spool.read(self.directory)) as spool:
            for name, wanted in LOOKS.items():
                listed = partial(list_joined_stories, {"large": spool}, wanted)
                yield f"look_{name}", self._look(listed)
            count = StoryFilter(section="Διεθνή")
            yield "look_count", self._look(lambda: count_stories(spool, count))
        with JoinedPairs(self.directory) as pairs:
            rejected = PairFilter(status="rejected", reason="pronoun-only")
            yield "look_pairs", self._look(lambda: pairs.page(rejected))

    @staticmethod
    def _look(look: Callable[[], object]) -> float:
        return min(timed(look) for _ in range(TRIES))

    def _store(self) -> Iterator[tuple[str, float]]:
        """Put all stories where the crawl puts them, as it does; only that is counted."""
        spool = Spool.open(self.directory)
        spool.db.execute("PRAGMA synchronous=OFF")  # no processor's time, and hours of waiting
        spool.set_meta("language", "el")
        spool.adopt_recipe(self._recipe.id)
        near = NearDuplicates(spool)
        clustering = storing = 0.0
        numbers = iter(range(self._stories))
        while some := [self._story(number) for number in islice(numbers, COMMIT)]:
            with spool.transaction():
                for story in some:
                    began = time.process_time()
                    placed = near.assign_cluster(story)
                    middle = time.process_time()
                    page = [(placed, list(chunks_of(placed)))]
                    spool.put_page(f"story:{story.url}", "1", page)
                    clustering += middle - began
                    storing += time.process_time() - middle
        spool.close()
        yield "near_duplicates", clustering
        yield "spool", storing

    def _story(self, number: int) -> Story:
        """A story of its own, or the last one again with another end, as agencies send them."""
        story = make_story(self._rng, self._cast, number, self._stories)
        if self._last and self._rng.random() < EDITIONS:
            story = story.replace(text=f"{self._last}\n\n{self._rng.choice(self._cast.sentences)}")
        self._last = story.text
        return story

    def _collect(self) -> float:
        """Claim a task of each story, and store a result with three pairs for it."""
        spool = Spool.open(self.directory)
        spool.db.execute("PRAGMA synchronous=OFF")
        taken, left = 0.0, self._stories
        while left > 0:
            began = time.process_time()
            claimed = tasks.claim(spool, "large", min(256, left))
            taken += time.process_time() - began
            results = [self._result(task) for task in claimed]
            began = time.process_time()
            tasks.finish(spool, results)
            taken += time.process_time() - began
            left -= len(claimed) or left
        spool.close()
        return taken

    def _result(self, task: Task) -> Result:
        completion = made_up_completion(task.id, task.text[:200])
        chunk = Chunk(task.chunk_ids[0], "", 0, task.text, task.header)
        return Result.of(completion, "large", tuple(make_pairs(self._rng, task.id, chunk)))

    def _plan(self) -> None:
        settings = self.project.config.table("plan", PlanSettings)
        planner = Planner("large", self._recipe, settings)
        with closing(Spool.open(self.directory)) as spool:
            spool.db.execute("PRAGMA synchronous=OFF")
            while not planner.is_idle(spool.counters()):
                planner.run(spool)

    def _build(self) -> None:
        build_dataset(self.directory, SETTINGS, DatasetRequest(language="el"))

    def _index_pairs(self) -> None:
        with closing(Spool.read(self.directory)) as spool, PairIndex(self.directory) as index:
            index.catch_up_all(spool)

    def _write_requests(self) -> None:
        config = self.project.config
        work = config.table("work", WorkSettings)
        folder = self.directory / "batch"
        write_batch(self.project, "large", folder, work, prompt_registry(config))


def timed(call: Callable[[], object]) -> float:
    """Seconds of processor that a call takes."""
    began = time.process_time()
    call()
    return time.process_time() - began
