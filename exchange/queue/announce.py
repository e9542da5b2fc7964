"""Whose an archive on a Redis is, and which model it asks for: said by its daemon, to be heeded.

One queue serves all archives of a Redis, so all must want one model: a worker holds only one. And
one spool has an archive's name there: two would take each other's results.
"""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import orjson

from exchange.errors import UsageError
from exchange.queue import keys
from exchange.recipes.recipe import Recipe
from exchange.records import ARCHIVE_PATTERN, LANGUAGE_PATTERN

if TYPE_CHECKING:
    from redis import Redis

_MODEL = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,500}")  # the name of one, or its folder
LARGEST_SHARE = 100.0
MIN_ANNOUNCEMENT_S = 60  # an announcement outlives its daemon by this much at least


def claim_archive(redis: Redis, archive: str, identity: str) -> None:
    """Take the name of an archive for a spool, or make sure that it still has it.

    The name of a spool that is silent and has left nothing behind is free: there is nothing to
    take away from it. A Redis that was emptied has forgotten all names: the next to look has it.

    Raises:
        UsageError: it is another spool's, or no archive can have it.
    """
    if archive in keys.RESERVED:
        raise UsageError(f"an archive cannot be called {archive} in Redis: give it another name")
    with redis.pipeline() as pipe:
        pipe.watch(keys.SPOOLS)
        holder = pipe.hget(keys.SPOOLS, archive)
        if holder == identity.encode():
            return
        if holder is not None and not _is_abandoned(redis, archive):
            raise UsageError(
                f"the archive {archive} on this Redis is of another data folder, and the two would "
                "take each other's results: give this one a Redis of its own (unset "
                "KKORACLE_REDIS_URL) or the archive another name; if that folder is gone for good, "
                f"`kkoracle redis --forget {archive}`"
            )
        pipe.multi()
        pipe.hset(keys.SPOOLS, archive, identity)
        pipe.execute()


def is_announced(redis: Redis, archive: str) -> bool:
    """Whether a daemon of this archive has been alive in the last minutes."""
    return bool(redis.exists(keys.recipe(archive)))


def _is_abandoned(redis: Redis, archive: str) -> bool:
    if is_announced(redis, archive) or redis.hlen(keys.result(archive)):
        return False
    inputs = redis.scan_iter(match=f"{keys.task(archive, '')}*", count=1000)
    return next(iter(inputs), None) is None


def announce(
    redis: Redis, archive: str, recipe: Recipe, every_s: float, share: float = 1.0
) -> None:
    """Say it once more; a daemon that says nothing for four rounds is taken to be gone.

    Args:
        share: of the queue's places, against those of the other archives.
    """
    until = int(4 * every_s) + MIN_ANNOUNCEMENT_S
    with redis.pipeline() as pipe:
        pipe.set(keys.recipe(archive), orjson.dumps({**asdict(recipe), "share": share}), ex=until)
        pipe.sadd(keys.ARCHIVES, archive)
        pipe.execute()


def announced_models(redis: Redis) -> dict[str, str]:
    """Archive to the name of the model that its daemon asks for."""
    return _announced(redis, "model", _MODEL)


def announced_languages(redis: Redis) -> dict[str, str]:
    """Archive to the language that its daemon's tasks are in."""
    return _announced(redis, "language", LANGUAGE_PATTERN)


def announced_shares(redis: Redis) -> dict[str, float]:
    """Archive to what its daemon wants of the queue's places, against the others."""
    said = _announcements(redis, "share")
    plain = {archive: value for archive, value in said.items() if isinstance(value, int | float)}
    return {archive: value for archive, value in plain.items() if 0 < value <= LARGEST_SHARE}


def _announced(redis: Redis, name: str, pattern: re.Pattern[str]) -> dict[str, str]:
    return {
        archive: value
        for archive, value in _announcements(redis, name).items()
        if isinstance(value, str) and pattern.fullmatch(value)
    }


def _announcements(redis: Redis, name: str) -> dict[str, object]:
    """Archive to what its daemon says by this name; anybody may have written it."""
    found: dict[str, object] = {}
    for raw in redis.smembers(keys.ARCHIVES):
        archive = keys.text(raw)
        if not ARCHIVE_PATTERN.fullmatch(archive):
            continue
        try:
            found[archive] = orjson.loads(redis.get(keys.recipe(archive)) or b"{}").get(name)
        except (ValueError, AttributeError):  # not written by us
            continue
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
