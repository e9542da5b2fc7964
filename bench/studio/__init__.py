"""The studio's pages over a large archive: does each answer at once, however much is stored?

An archive of 400,000 stories and 150,000 pairs is written once (`--dir` keeps it), and every page
is asked for in this process. Against whom: Datasette, which shows any SQLite file page by page,
over the same `spool.sqlite`: a page of 50 stories, and one story.

NAME_ms, NAME_first_ms   milliseconds of processor for a page: least of the rounds, and first
NAME_kb                  its size, before compression
worst_ms, worst_page     the slowest page, by the least of its rounds
list_ratio, row_ratio    ours over Datasette's, for a page of 50 stories and for one story
"""

from __future__ import annotations

import argparse
import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import orjson

from bench import peers
from bench.demo import working_folder
from bench.registry import BenchSettings, Figures
from bench.studio import asgi
from exchange.errors import ProgramFailed

SEED = 7  # of the archive: it is the same every time
NOT_FOR_JUDGING = ("*_ms", "worst_*", "*_ratio")
STORIES, PAIRS, QUICK_SHARE = 400_000, 150_000, 0.02
ROUNDS = 5
# What is asked for; a path that begins with a page's name and "#" is its first link that fits.
PAGES = {
    "overview": "/",
    "stories": "/stories",
    "stories_filtered": "/stories?section=Διεθνή&since=2004&until=2009",
    "stories_waiting": "/stories?mark=teaser&state=waiting",
    "story": "stories#/stories/[0-9a-f]{24}",
    "search": "/search?q=λιμάνι",
    "search_filtered": "/search?q=λιμάνι&section=Υγεία&state=accepted&newest=1",
    "pairs": "/pairs",
    "pairs_rejected": "/pairs?status=rejected&reason=pronoun-only",
    "pair": "pairs#/pairs/[0-9a-f]{24}",
    "dataset": "/dataset",
    "runs": "/runs",
    "reports": "/reports",
    "ask": "/ask",
    "score": "/score",
}


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--dir", type=Path, help="keep the archive here, and use it again")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Write the archive, ask for every page, then the peer."""
    share = QUICK_SHARE if settings.quick else 1.0
    with working_folder(args.dir) as folder:
        archive = _archive(folder, int(STORIES * share), int(PAIRS * share), settings)
        ours, story = _ours(folder, settings)
        rows = {"list": "/spool/stories?_size=50", "row": f"/spool/stories/{story}"}
        settings.log("asking Datasette")
        theirs = _theirs(archive / "spool.sqlite", list(rows.values()), settings)
        worst = max(ours, key=lambda name: ours[name]["ms"])
        return {
            "stories": int(STORIES * share),
            "pairs": int(PAIRS * share),
            **{
                f"{name}_{key}": one[key]
                for name, one in ours.items()
                for key in one
                if key != "status"
            },
            "worst_page": worst,
            "worst_ms": ours[worst]["ms"],
            "datasette_list_ms": theirs[rows["list"]]["ms"],
            "datasette_row_ms": theirs[rows["row"]]["ms"],
            "list_ratio": round(ours["stories"]["ms"] / theirs[rows["list"]]["ms"], 3),
            "row_ratio": round(ours["story"]["ms"] / theirs[rows["row"]]["ms"], 3),
        }


def _archive(folder: Path, stories: int, pairs: int, settings: BenchSettings) -> Path:
    from tools import large_spool
    from trainer.evaluate.rag import current_index

    archive = folder / "data" / "paper"
    if not (archive / "spool.sqlite").exists():
        settings.log(f"writing {stories:,} stories and {pairs:,} pairs in {archive}")
        large_spool.main([str(archive), "--stories", str(stories), "--pairs", str(pairs)])
    settings.log("indexing its text, where that was not done")
    current_index(archive).close()
    (folder / "kkoracle.toml").write_text('data = "data"\narchive = "paper"\n', "utf-8")
    return archive


def _ours(folder: Path, settings: BenchSettings) -> tuple[dict[str, dict[str, float]], str]:
    """What each page took, and the id of the story that was shown."""
    from kkoracle import Project
    from kkoracle.settings import StudioSettings
    from kkoracle.studio.app import make_studio_app
    from kkoracle.studio.studio import Studio

    project = Project.open(folder / "kkoracle.toml")
    chosen = project.config.table("ui", StudioSettings)
    found: dict[str, dict[str, float]] = {}
    story = ""
    with Studio(project, "paper", chosen) as studio:
        app = make_studio_app(studio, chosen)
        for name, path in PAGES.items():
            settings.log(f"asking for {name}")
            if "#" in path:
                page, _, pattern = path.partition("#")
                _, body = asyncio.run(asgi.ask(app, PAGES[page]))
                linked = re.search(pattern, body.decode())
                if linked is None:
                    raise ProgramFailed(f"the page {page} links to no {name}")
                path = linked[0]
                story = path.rpartition("/")[2] if name == "story" else story
            found[name] = asyncio.run(asgi.measure(app, [path], ROUNDS))[path]
            if found[name]["status"] != 200:
                raise ProgramFailed(f"{path} was answered with {found[name]['status']:.0f}")
    return found, story


def _theirs(file: Path, paths: list[str], settings: BenchSettings) -> dict[str, Any]:
    python = peers.python("datasette", settings.log)
    script = Path(__file__).with_name("rival.py")
    done = subprocess.run(
        [python, script, file, str(ROUNDS), *paths], stdout=subprocess.PIPE, check=False
    )
    if done.returncode:
        raise ProgramFailed(f"Datasette ended with code {done.returncode}")
    found: dict[str, Any] = orjson.loads(done.stdout)
    for path, one in found.items():
        if one["status"] != 200:
            raise ProgramFailed(f"Datasette answered {path} with {one['status']}")
    return found
