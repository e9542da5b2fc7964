"""Tasks of the other kinds go the whole way: planned, fed, generated, judged, collected."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest

from exchange.flow import Flow
from exchange.house import House
from exchange.plan import Plan, Planner
from exchange.records import Pair
from exchange.redis_server import redis_for
from exchange.spool import Spool, open_tasks
from tests.conftest import fill_spool
from tests.workers.endpoint import Endpoint, answer_about
from workers import prompts

STORIES = 12


def reply(prompt: str) -> str:
    """What a model would say to each of the prompts."""
    asked = prompt.strip().rpartition("\n")[2]
    if prompt.startswith(prompts.load("el/rephrase").instruction):
        return f"Από όσα ξέρεις για την πόλη και τους ανθρώπους της πες μου με λίγα λόγια: {asked}"
    if prompt.startswith(prompts.load("el/refusal").instruction):
        return "Δεν γνωρίζω κάτι τέτοιο."
    if prompt in prompts.general("el"):
        return "Αυτή είναι μια γενική απάντηση."
    return answer_about(prompt)


def test_every_kind_is_generated_and_kept_as_what_it_is(
    make_house: Callable[..., House],
    popen: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KKORACLE_WORK_PROMPT", "el/chunk")  # the family that has all kinds
    house = make_house()
    fill_spool(house, STORIES).close()
    plan = Plan(whois=0, rephrase=0.5, rephrase_least=5, replay=0.5)
    planner = Planner("paper", house.recipe(), plan, prompts.general("el"))
    with Endpoint(reply=reply) as endpoint, redis_for(house) as handle:
        flow = Flow(
            house.archive_dir(),
            "paper",
            house.recipe(),
            handle.connect,
            reconcile_s=1,
            planner=planner,
        )
        flow.start()
        popen(
            "-m",
            "workers.run",
            cwd=house.data.parent,
            KKORACLE_WORKER_REDIS=handle.url,
            KKORACLE_WORK_ENGINE="openai",
            KKORACLE_WORK_URL=endpoint.url,
            KKORACLE_WORK_PROMPT="el/chunk",
        )
        deadline = time.monotonic() + 60
        while open_tasks(counters(house)) or not flow.settled(counters(house)):
            assert flow.error is None and time.monotonic() < deadline, counters(house)
            time.sleep(0.1)
        flow.stop()
    kept = Counter(pair.kind for pair in pairs(house))
    assert kept["replay"] == kinds(house)["replay"] >= STORIES // 2
    assert sum(bool(pair.rephrase_of) for pair in pairs(house)) >= 5
    assert set(kinds(house)) >= {"chunk", "dense", "rephrase", "replay"}
    assert counters(house)["tasks.done"] == sum(kinds(house).values())


def counters(house: House) -> dict[str, int]:
    spool = Spool.read(house.archive_dir())
    try:
        return spool.counters()
    finally:
        spool.close()


def pairs(house: House) -> list[Pair]:
    spool = Spool.read(house.archive_dir())
    try:
        return [pair for pair, _ in spool.pairs()]
    finally:
        spool.close()


def kinds(house: House) -> dict[str, int]:
    spool = Spool.read(house.archive_dir())
    try:
        return dict(spool.db.execute("SELECT kind, COUNT(*) FROM tasks GROUP BY kind").fetchall())
    finally:
        spool.close()
