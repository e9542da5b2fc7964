"""Hostile text in a page, a reply, an exception or a job's hash, seen by a real browser: nothing
of it is shown, and nothing of it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp.web
import pytest

from exchange.queue import keys
from exchange.queue.feeder import enqueue
from exchange.records import Task, digest
from tests.kkoracle.browser import Browser
from tests.kkoracle.cli.test_dashboard import start
from tests.workers.conftest import Pipeline, open_pipeline
from tests.workers.endpoint import Endpoint

__all__ = ["open_pipeline"]

Open = Callable[..., object]
MARK = "ΜΥΣΤΙΚΟ"
EVIL = f"{MARK}<img src=x onerror=\"window.owned='yes'\"><script>window.owned='yes'</script>"


class EvilEndpoint(Endpoint):
    """Answers with hostile text: as a reply, as an error's body, as a reply that makes no sense."""

    async def _complete(self, request: aiohttp.web.Request) -> aiohttp.web.StreamResponse:
        prompt: str = (await request.json())["messages"][-1]["content"]
        if "λάθος" in prompt:
            return aiohttp.web.Response(status=400, text=EVIL)
        if "άσχετο" in prompt:
            return aiohttp.web.json_response({EVIL: EVIL, "choices": EVIL})
        return await super()._complete(request)


def evil_task(pipeline: Pipeline, kind: str) -> Task:
    return Task(
        id=digest(kind),
        archive="paper",
        kind="chunk",
        chunk_ids=("c",),
        recipe=pipeline.project.recipe().id,
        text=f"{EVIL} {kind} Αριθμός 1.",
        header=EVIL,
    )


@pytest.fixture
def browser(tmp_path: Path) -> Any:
    with Browser(tmp_path / "browser") as found:
        yield found


def test_hostile_text_is_neither_shown_nor_run(open_pipeline: Open, browser: Browser) -> None:
    endpoint = EvilEndpoint(reply=lambda _: f"Ερώτηση: {EVIL};\nΑπάντηση: {EVIL}.")
    with open_pipeline(0, endpoint=endpoint) as pipeline:
        pipeline.until(lambda: bool(pipeline.redis.exists(keys.recipe("paper"))))
        kinds = ["πρώτο", "λάθος", "άσχετο"]
        jobs = [evil_task(pipeline, kind) for kind in kinds]
        enqueue(pipeline.redis, jobs)
        assert pipeline.start_worker("--burst").wait(30) == 0
        waiting = evil_task(pipeline, "αναμονή")
        enqueue(pipeline.redis, [waiting])
        base = start(pipeline)
        pages = {f"{base}/0/view/job/{job.id}": "Status" for job in [*jobs, waiting]}
        for registry, there in (("queued", waiting.id), ("failed", jobs[1].id)):
            pages[f"{base}/0/view/jobs/generate/{registry}/8/asc/1"] = there
        pages |= {f"{base}/0/view/queues": "generate", f"{base}/0/view/workers": "orkers"}
        for url, there in pages.items():
            seen = browser.look(url, f"document.body.innerText.includes({there!r})")
            assert MARK not in seen["dom"] and seen["owned"] is None, url


def test_what_a_hostile_peer_writes_into_redis_is_shown_as_text(
    open_pipeline: Open, browser: Browser
) -> None:
    with open_pipeline(0) as pipeline:
        pipeline.until(lambda: bool(pipeline.redis.exists(keys.recipe("paper"))))
        task = evil_task(pipeline, "ξένο")
        enqueue(pipeline.redis, [task])
        pipeline.redis.hset(
            f"rq:job:{task.id}", mapping={"description": EVIL, "meta": f'["{MARK}<b>"]'}
        )
        base = start(pipeline)
        for url in (f"{base}/0/view/job/{task.id}", f"{base}/0/view/jobs/generate/queued/8/asc/1"):
            seen = browser.look(url, f"document.body.innerText.includes({MARK!r})")
            assert seen["owned"] is None and "<img src=" not in seen["dom"].partition(MARK)[2], url
