"""Tasks of the other kinds go the whole way: planned, fed, generated, judged, collected."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest

from exchange.planning.planner import Planner, PlanSettings
from exchange.project import Project
from exchange.queue.pump import QueuePump
from exchange.queue.redis_endpoint import redis_for
from exchange.recipes import prompts
from exchange.records import Pair
from exchange.store.spool import Spool, open_tasks
from tests.conftest import fill_spool
from tests.workers.endpoint import Endpoint, answer_about

STORIES = 12


def reply(prompt: str) -> str:
    """What a model would say to each of the prompts."""
    if prompt.startswith(prompts.load_prompt("el/rephrase").instruction):
        asked = prompt.strip().splitlines()[-3]  # a line that says what to do comes last
        return f"Από όσα ξέρεις για την πόλη και τους ανθρώπους της πες μου με λίγα λόγια: {asked}"
    if prompt.startswith(prompts.load_prompt("el/refusal").instruction):
        return "Δεν γνωρίζω κάτι τέτοιο."
    if prompt in prompts.general_questions("el"):
        return "Αυτή είναι μια γενική απάντηση."
    return answer_about(prompt)


def test_every_kind_is_generated_and_kept_as_what_it_is(
    make_project: Callable[..., Project],
    popen: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KKORACLE_WORK_PROMPT", "el/chunk")  # the family that has all kinds
    project = make_project()
    fill_spool(project, STORIES).close()
    plan = PlanSettings(whois=0, rephrase=0.5, rephrase_least=5, replay=0.5)
    planner = Planner("paper", project.recipe(), plan, prompts.general_questions("el"))
    with Endpoint(reply=reply) as endpoint, redis_for(project) as handle:
        flow = QueuePump(
            project.archive_dir(),
            "paper",
            project.recipe(),
            handle.connect,
            reconcile_s=1,
            planner=planner,
        )
        flow.start()
        popen(
            "-m",
            "workers.run",
            cwd=project.data.parent,
            KKORACLE_WORKER_REDIS=handle.url,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
            KKORACLE_WORK_PROMPT="el/chunk",
        )
        deadline = time.monotonic() + 60
        while open_tasks(counters(project)) or not flow.is_idle(counters(project)):
            assert flow.error is None and time.monotonic() < deadline, counters(project)
            time.sleep(0.1)
        flow.stop()
    kept = Counter(pair.kind for pair in pairs(project))
    assert kept["replay"] == kinds(project)["replay"] >= STORIES // 2
    assert sum(bool(pair.rephrase_of) for pair in pairs(project)) >= 5
    assert set(kinds(project)) >= {"chunk", "dense", "rephrase", "replay"}
    assert counters(project)["tasks.done"] == sum(kinds(project).values())


def counters(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    try:
        return spool.counters()
    finally:
        spool.close()


def pairs(project: Project) -> list[Pair]:
    spool = Spool.read(project.archive_dir())
    try:
        return [pair for pair, _ in spool.pairs()]
    finally:
        spool.close()


def kinds(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    try:
        return dict(spool.db.execute("SELECT kind, COUNT(*) FROM tasks GROUP BY kind").fetchall())
    finally:
        spool.close()
