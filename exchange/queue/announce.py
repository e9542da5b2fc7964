"""Which model and prompt each archive on a Redis asks for, said by its daemon for others to heed.

One queue serves all archives of a Redis, so all must want one model: a worker holds only one.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from exchange.errors import UsageError
from exchange.queue import keys
from exchange.recipes.recipe import Recipe

if TYPE_CHECKING:
    from redis import Redis

MIN_ANNOUNCEMENT_S = 60  # an announcement outlives its daemon by this much at least


def announce(redis: Redis, archive: str, recipe: Recipe, every_s: float) -> None:
    """Say it once more; a daemon that says nothing for four rounds is taken to be gone."""
    until = int(4 * every_s) + MIN_ANNOUNCEMENT_S
    with redis.pipeline() as pipe:
        pipe.set(keys.recipe(archive), orjson.dumps(asdict(recipe)), ex=until)
        pipe.sadd(keys.ARCHIVES, archive)
        pipe.execute()


def announced_models(redis: Redis) -> dict[str, str]:
    """Archive to the name of the model that its daemon asks for."""
    return _announced(redis, "model")


def announced_languages(redis: Redis) -> dict[str, str]:
    """Archive to the language that its daemon's tasks are in."""
    return _announced(redis, "language")


def _announced(redis: Redis, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for raw in redis.smembers(keys.ARCHIVES):
        archive = raw.decode("utf-8", "replace")
        try:
            value = orjson.loads(redis.get(keys.recipe(archive)) or b"{}").get(name)
        except (ValueError, AttributeError):  # not written by us
            continue
        if isinstance(value, str) and value:
            found[archive] = value
    return found


def require_one_model(redis: Redis, archive: str, recipe: Recipe) -> None:
    """Raises UsageError when another archive on this Redis is generated with another model."""
    for other, model in sorted(announced_models(redis).items()):
        if other != archive and model != recipe.model:
            raise UsageError(
                f"the archive {other} on this Redis is generated with {model!r} and {archive} "
                f"wants {recipe.model!r}: give each model a Redis of its own (KKORACLE_REDIS_URL, "
                f"or another data folder), or wait until {other} is done"
            )


def require_wanted_model(redis: Redis, recipe: Recipe) -> None:
    """Raises UsageError when no daemon on this Redis wants this worker's model."""
    wanted = announced_models(redis)
    if wanted and recipe.model not in wanted.values():
        archive, model = min(wanted.items())
        raise UsageError(
            f"the archive {archive} on this Redis is generated with {model!r} and this worker is "
            f"set up for {recipe.model!r}: use the same [model] as the crawler"
        )
