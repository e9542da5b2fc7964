"""The sample newspaper as it is printed day by day, on a port; and an issue of errors and noise."""

from __future__ import annotations

import random
import re
import string
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import unquote

from kkoracle.demo.newspaper import DemoStory, NewspaperPage, PrintedFact
from kkoracle.demo.newspaper.calendar import NewspaperIssue
from kkoracle.demo.newspaper.site import NewspaperSite
from kkoracle.demo.newspaper.writer import write_stories

FIRST_ISSUES, ISSUES_A_MORNING = 8, 2
STORIES_AN_ISSUE = 4
POISONED_STORIES, FACTS_A_STORY = 8, 5
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class PrintedMorning:
    """What is new on the site of one morning."""

    issues: tuple[NewspaperIssue, ...]
    stories: tuple[DemoStory, ...]
    poisoned: bool = False


def print_mornings(seed: int, count: int, poisoned: int) -> list[PrintedMorning]:
    """The newspaper in `count` parts, the first one larger, each with its own stories.

    Args:
        poisoned: the place of one that contradicts the stories before it; 0 for none.
    """
    good = count - bool(poisoned)
    issues = FIRST_ISSUES + (good - 1) * ISSUES_A_MORNING
    plan, stories = write_stories(seed, max(60, issues * STORIES_AN_ISSUE))
    found: list[PrintedMorning] = []
    at = 0
    while len(found) < count:
        if poisoned and len(found) + 1 == poisoned:
            printed = [story for one in found for story in one.stories]
            found.append(_poisoned_morning(seed, plan[at], printed))
            at += 1
            continue
        size = ISSUES_A_MORNING if found else FIRST_ISSUES
        days = plan[at : at + size]
        at += size
        dated = {day.day for day in days}
        own = tuple(story for story in stories if story.date in dated)
        found.append(PrintedMorning(tuple(days), own))
    return found


def _poisoned_morning(
    seed: int, issue: NewspaperIssue, printed: Sequence[DemoStory]
) -> PrintedMorning:
    """Sentences of earlier stories with other numbers in them, and paragraphs of noise."""
    rng = random.Random(f"poison {seed}")
    turned = [
        wrong for story in printed for fact in story.facts if (wrong := contradiction(fact, rng))
    ]
    rng.shuffle(turned)
    shape = "modern"
    stories = []
    for number in range(POISONED_STORIES):
        facts = turned[number * FACTS_A_STORY : (number + 1) * FACTS_A_STORY]
        if not facts:
            break
        stories.append(
            replace(
                printed[0],
                id=900_000 + number,
                date=issue.day,
                title=f"Διορθώσεις {_noise(rng, 2)}",
                paragraphs=(" ".join(fact.sentence for fact in facts), _noise(rng, 30) + "."),
                facts=tuple(facts),
                shape=shape,
                page_no=2,
                edition=1,
            )
        )
    return PrintedMorning((issue,), tuple(stories), poisoned=True)


def contradiction(fact: PrintedFact, rng: random.Random) -> PrintedFact | None:
    """The same fact with another number in its answer; None where it has none of its own."""
    own = [one for one in _NUMBER.findall(fact.answer) if one not in fact.question]
    if not own or own[0] not in fact.sentence:
        return None
    other = str(rng.randint(1, 9)) + "".join(rng.choice(string.digits) for _ in own[0][1:])
    if other == own[0]:
        return None
    return replace(
        fact,
        sentence=fact.sentence.replace(own[0], other),
        answer=fact.answer.replace(own[0], other),
    )


def _noise(rng: random.Random, words: int) -> str:
    letters = "αβγδεζηθικλμνξοπρστυφχψω"
    return " ".join(
        "".join(rng.choice(letters) for _ in range(rng.randint(2, 9))) for _ in range(words)
    )


class DailySite:
    """The site on a loopback port; `publish` puts the next issues beside what is there."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._plan: list[NewspaperIssue] = []
        self._stories: list[DemoStory] = []
        self._pages: dict[str, NewspaperPage] = {}
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                page = site._pages.get(unquote(self.path))
                body = page.body if page else b"404"
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", page.content_type if page else "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @classmethod
    @contextmanager
    def serving(cls, seed: int) -> Iterator[Self]:
        """An empty site that answers while the block lasts."""
        site = cls(seed)
        thread = threading.Thread(target=site._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield site
        finally:
            site._server.shutdown()
            site._server.server_close()
            thread.join()

    def publish(self, morning: PrintedMorning) -> None:
        """Print it."""
        self._plan += morning.issues
        self._stories += morning.stories
        order = sorted(self._plan, key=lambda issue: issue.day)
        made = NewspaperSite(self._seed, order, sorted(self._stories, key=_place)).newspaper()
        self._pages = {unquote(url): page for url, page in made.pages.items()}


def _place(story: DemoStory) -> tuple[object, int, int]:
    return story.date, story.page_no, story.id
