"""The English newspaper, crawled, with the truth's own pairs: for models that were pretrained.

What a small model writes about a story is wrong too often to be learned, so each chunk's task is
answered with the facts that stand in it, as a larger model would: what is compared is teaching.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from bench.demo.results import facts_in
from bench.registry import Log
from exchange.planning.planner import adopt_recipe
from exchange.records import Pair, Result, Task
from exchange.store import tasks
from exchange.store.spool import Spool
from kkoracle.api import OracleProject
from kkoracle.children import ChildProcesses
from kkoracle.demo.newspaper import PrintedFact, build_newspaper
from kkoracle.demo.plan import ENGLISH_PROFILE, load_or_create_plan
from kkoracle.demo.run import start_newspaper
from tools.completions import made_up_completion

CLAIM = 64


def make(directory: Path, model: Path, log: Log) -> None:
    """Crawl the newspaper into `directory`, store its pairs, build the dataset of what is asked;
    what is there stays as it is.
    """
    plan, port = load_or_create_plan(directory, None, model.resolve(), "en")
    project = OracleProject.open(directory / "kkoracle.toml")
    archive = project.archive()
    with ChildProcesses(directory) as children:
        start_newspaper(children, directory, plan, port)
        log(f"crawling {plan.stories} stories")
        profile = str(directory / ENGLISH_PROFILE)
        project.crawl(archive, generate=False, accept_opt_outs=True, profile=profile)
    facts = [
        fact
        for story in build_newspaper(plan.seed, plan.stories, language="en").stories
        for fact in story.facts
    ]
    with closing(Spool.open(project.archive_dir())) as spool:
        adopt_recipe(spool, project.recipe_for("en"), archive, adopt=False)
        while claimed := tasks.claim(spool, archive, CLAIM):
            tasks.finish(spool, [_answer(task, archive, facts) for task in claimed])
    project.build_dataset()


def _answer(task: Task, archive: str, facts: list[PrintedFact]) -> Result:
    pairs = tuple(
        Pair(
            id=Pair.make_id(task.id, fact.question, fact.answer),
            task_id=task.id,
            chunk_ids=task.chunk_ids,
            question=fact.question,
            answer=fact.answer,
            kind=fact.kind,  # type: ignore[arg-type]
            status="accepted",
            quote=fact.sentence,
        )
        for fact in facts_in(facts, task.text)
    )
    return Result.of(made_up_completion(task.id), archive, pairs)
