"""The worker process itself: `python -m workers.run`, started and watched by the supervisor.

Settings come from the config file and the environment, so that the supervisor can hand its flags
on. Exit codes: 0 the work is done, 2 it must not run with these settings, 3 stopped by a signal;
anything else is a crash.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import Iterator

from exchange import models
from exchange.engine import Engine
from exchange.errors import OK, STOPPED, USAGE, UserError
from exchange.lock import FileLock
from exchange.settings import Config, General, Persona
from workers import prompts
from workers.settings import Work

REDIS_VARIABLE = "KKORACLE_WORKER_REDIS"
NAME_VARIABLE = "KKORACLE_WORKER_NAME"
PARENT_VARIABLE = "KKORACLE_WORKER_PARENT"


def main(argv: list[str] | None = None) -> int:
    """Run one worker until it is stopped."""
    parser = argparse.ArgumentParser(prog="python -m workers.run", description=__doc__)
    parser.add_argument("--burst", action="store_true", help="end when the queue is empty")
    burst = parser.parse_args(argv).burst
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stderr)
    logging.getLogger("rq.worker").setLevel(logging.WARNING)
    try:
        config = Config.find()
        work = config.table("work", Work)
        with processor_share(config, work):
            return _work(config, work, burst)
    except UserError as error:
        logging.error("%s", error)
        return error.exit_code


def _work(config: Config, work: Work, burst: bool) -> int:
    from exchange.redis_client import connect
    from workers import recipe
    from workers.desk import Desk
    from workers.intake import WrongRecipe
    from workers.worker import GenerationWorker

    persona = config.table("persona", Persona)
    wanted = recipe.current(config)
    prompt = prompts.load(work.prompt)
    engine = open_engine(config, work)
    if hasattr(engine, "share_prefix"):
        shared = engine.share_prefix(*(prompt.messages(c, c, persona.system) for c in ("α", "1")))
        logging.info("%d prompt tokens are shared by all requests", shared)
    description = engine.describe()
    logging.info(
        "model %s (%s), width %d", description.model, description.quantisation, description.width
    )
    worker = GenerationWorker(
        connect(os.environ[REDIS_VARIABLE]),
        engine,
        wanted,
        Desk(work, wanted, prompt, persona.system, description),
        name=os.environ.get(NAME_VARIABLE) or make_name(),
        width=description.width,
        lease_s=work.lease_s,
        grace_s=work.grace_s,
        wanted=has_parent,
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


def open_engine(config: Config, work: Work) -> Engine:
    """The engine that the settings ask for.

    Raises:
        UserError: the model or the endpoint cannot be used.
    """
    model = config.table("model", models.Model)
    if work.engine == "openai":
        from workers.engines.openai import OpenAIEngine

        return OpenAIEngine(
            work.url,
            name=model.name,
            served_as=work.served_as,
            width=work.width or 32,
            api_key=work.api_key,
            temperature=work.temperature,
        )
    from workers.engines.mlx import MlxEngine, choose_width

    data = config.table("", General).data
    folder = models.locate(model, data / "models", confirm=lambda _: False)
    width = choose_width(work.width)
    return MlxEngine(folder, name=model.name, width=width, temperature=work.temperature)


@contextlib.contextmanager
def processor_share(config: Config, work: Work) -> Iterator[None]:
    """Our share of this machine's processor: several workers may have one, training needs all.

    Raises:
        UserError: a training run holds it.
    """
    if work.engine != "mlx":
        yield
        return
    lock = FileLock(config.table("", General).data / "gpu.lock")
    if not lock.acquire(shared=True):
        raise UserError(
            f"training runs on this machine (pid {lock.holder()}): generate or train, not both; "
            "start the worker when it is done"
        )
    try:
        yield
    finally:
        lock.release()


def has_parent() -> bool:
    """False once the supervisor is gone: nobody would restart or stop this worker any more."""
    expected = os.environ.get(PARENT_VARIABLE)
    return not expected or os.getppid() == int(expected)


def make_name() -> str:
    """A worker's name: readable in the dashboard, unique across restarts."""
    host = socket.gethostname().split(".")[0][:24] or "host"
    return f"{host}-{os.getpid()}-{secrets.token_hex(2)}"


if __name__ == "__main__":
    sys.exit(main())
