"""The worker process itself: `python -m workers.run`, started and watched by the supervisor.

Settings come from the config file and the environment, so that the supervisor can hand its flags
on. Exit codes: 0 the work is done, 1 and 2 it cannot run like this and has logged why, 3 stopped by
a signal; anything else is a crash.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

from exchange import logs, signals
from exchange.errors import FAILED, OK, STOPPED, USAGE, UserError
from exchange.inference.engine import Engine
from exchange.queue.redis_client import lasting
from exchange.settings import Config, GeneralSettings, PersonaSettings, RedisSettings
from workers.open_engine import hold_gpu_share, open_engine
from workers.settings import WorkSettings, is_quiet

REDIS_VARIABLE = "KKORACLE_WORKER_REDIS"
NAME_VARIABLE = "KKORACLE_WORKER_NAME"
CRASHED = 70  # an error of ours, which may pass: Python's own 1 would say "must not run like this"

ORPHAN_S = 5.0  # between two looks for the supervisor, and what a goodbye to Redis may take

OpenEngine = Callable[[Config, WorkSettings], Engine]


def main(argv: list[str] | None = None, open_with: OpenEngine | None = None) -> int:
    """Run one worker until it is stopped.

    Args:
        open_with: makes the engine; default: `open_engine`. Benches bring one of their own.
    """
    parser = argparse.ArgumentParser(prog="python -m workers.run", description=__doc__)
    parser.add_argument("--burst", action="store_true", help="end when the queue is empty")
    burst = parser.parse_args(argv).burst
    logging.basicConfig(level=logging.INFO, format=logs.TEXT_FORMAT, stream=sys.stderr)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    try:
        config = Config.find()
        logs.configure(config, logging.INFO)
        work = config.table("work", WorkSettings)
        has_parent = signals.parent_watch()
        end_when_orphaned(has_parent, work.grace_s)
        with hold_gpu_share(config, work):
            return _work(config, work, open_with or open_engine, has_parent, burst=burst)
    except UserError as error:
        logging.error("%s", error)
        return error.exit_code
    except Exception as error:
        if said := lasting(error):
            logging.error("Redis %s", said)
            return FAILED
        logging.exception("the worker crashed; what was in flight is given back")
        return CRASHED


def _work(
    config: Config,
    work: WorkSettings,
    open_with: OpenEngine,
    has_parent: Callable[[], bool],
    *,
    burst: bool,
) -> int:
    from exchange.project import Project
    from exchange.queue.announce import announced_languages, require_wanted_model
    from exchange.queue.redis_client import connect_redis
    from workers.queue.jobs import WrongRecipe
    from workers.request_builder import RequestBuilder, share_prefix
    from workers.settings import prompt_registry
    from workers.worker import GenerationWorker

    persona = config.table("persona", PersonaSettings)
    prompts = prompt_registry(config)
    redis = connect_redis(os.environ[REDIS_VARIABLE])
    project = Project(
        config,
        config.table("", GeneralSettings),
        config.table("redis", RedisSettings),
        prompts.recipe,
    )
    languages = sorted(set(announced_languages(redis).values())) or [project.language()]
    wanted = prompts.recipe(languages[0])
    require_wanted_model(redis, wanted)  # before a model is loaded for nothing
    engine = open_with(config, work)
    for prompt in (one for language in languages for one in prompts.prompts(language)):
        if shared := share_prefix(engine, prompt, persona.system):
            logging.info("%d prompt tokens are shared by all %s requests", shared, prompt.id)
    description = engine.describe()
    if getattr(engine, "context", 1) == 0:
        logging.warning(
            "the model's config does not say how long a text may be: nothing is refused as too long"
        )
    logging.info(
        "model %s (%s), width %d", description.model, description.quantisation, description.width
    )
    worker = GenerationWorker(
        redis,
        engine,
        wanted,
        RequestBuilder(work, prompts, description),
        name=os.environ.get(NAME_VARIABLE) or make_name(),
        width=description.width,
        lease_s=work.lease_s,
        grace_s=work.grace_s,
        has_parent=has_parent,
        is_quiet=partial(is_quiet, work.quiet),
    )
    try:
        return OK if worker.run(burst=burst) else STOPPED
    except WrongRecipe as error:
        logging.error(
            "the queue asks for recipe %s and this worker is set up for %s (model %s, "
            "prompt %s): use the same [model], [work] and [persona] as the crawler",
            error,
            wanted.id,
            wanted.model,
            wanted.prompt,
        )
        return USAGE


def end_when_orphaned(has_parent: Callable[[], bool], grace_s: float) -> None:
    """End this process for good some time after its supervisor is gone.

    The worker itself ends sooner and in order; but it may be waiting for a Redis that nobody will
    start again, now that the last who would have is gone.
    """

    def watch() -> None:
        while has_parent():
            time.sleep(ORPHAN_S)
        time.sleep(grace_s + ORPHAN_S)
        os._exit(CRASHED)  # as safe as any kill

    threading.Thread(target=watch, name="orphan-watch", daemon=True).start()


def make_name() -> str:
    """A worker's name: readable in the dashboard, unique across restarts."""
    host = socket.gethostname().split(".")[0][:24] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(2)}"


if __name__ == "__main__":
    sys.exit(main())
