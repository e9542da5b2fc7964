"""Load, listen, answer until a signal ends it."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from exchange import lock, signals
from exchange.errors import ModelUnfit, UsageError, UserError
from exchange.inference.engine import BASE, TUNED
from exchange.net import listen, require_password
from exchange.project import Project
from exchange.store.joined_corpus import has_corpus
from trainer.abstention import AnswerThreshold, refusal_text
from trainer.evaluate.rag import ArchiveSearch
from trainer.promote import versions
from trainer.serve.app import ChatApi
from trainer.serve.inference_thread import InferenceThread, Withholding
from trainer.serve.protocol import ApiError
from trainer.serve.settings import ServeSettings
from trainer.tuned_model import TunedModel, trained_on

if TYPE_CHECKING:
    from exchange.inference.mlx.engine import MlxEngine

log = logging.getLogger(__name__)

FOLLOW_S = 1.0  # between two looks for a newer adapter
GRACE_S = 10.0  # that answers under way are given at the first signal; at the second they end


def run_server(
    project: Project,
    tuned: TunedModel,
    settings: ServeSettings,
    *,
    archive: str | None,
    system: str,
    language: str,
    follow: bool = False,
    ready: Callable[[str], None],
) -> None:
    """Serve base and tuned model until SIGINT or SIGTERM.

    Evaluates MLX in a thread: a process that called this must not fork.

    Args:
        archive: whose stories are named as sources.
        system: the persona's message, for conversations with the tuned model that bring none.
        language: of the archive, in which it is said that something is not known.
        follow: take each adapter that is promoted from now on, and leave the GPU to training.
        ready: called with the address once requests are answered.

    Raises:
        UserError: the port is taken, open to others without a key, training runs, no model, or
            the models failed.
    """
    require_password("the endpoint", settings.host, settings.api_key, "KKORACLE_SERVE_API_KEY")
    withhold = None
    if settings.abstain and follow:
        raise UsageError("--abstain needs a threshold fitted for one adapter, --follow takes many")
    if settings.abstain:
        found = AnswerThreshold.read(tuned.adapter, settings.scale)
        withhold = Withholding(found, refusal_text(language))
    engine = InferenceThread(
        lambda: load_engine(tuned, settings.width, settings.cache_mb, settings.scale),
        max_tokens=settings.max_tokens,
        capacity=2 * settings.width + settings.waiting,
        withhold=withhold,
    )
    names = {"": TUNED, tuned.name: BASE, tuned.run.name: TUNED, BASE: BASE, TUNED: TUNED}
    shown = [
        {"id": TUNED, "root": tuned.adapter.name if follow else tuned.run.name, "parent": BASE},
        {"id": BASE, "root": tuned.title, "parent": ""},
    ]
    archive_dir = project.archive_dir(archive)
    finder = SourceThread(archive_dir, language, tuned.run.name)
    api = ChatApi(
        engine,
        names,
        shown,
        system=system,
        sources=finder.find if has_corpus(archive_dir) else None,
        key=settings.api_key,
        host=settings.host,
    )
    with (
        closing(listen(settings.host, settings.port)) as listener,
        nullcontext() if follow else lock.hold_gpu(project.data, shared=True),
        closing(engine),
        closing(finder),
    ):
        engine.start()
        following = _follow(api, engine, archive_dir, tuned, settings.scale) if follow else None
        asyncio.run(_answer(api, engine, listener, ready, following))
        if engine.failed:
            raise ModelUnfit(engine.broken)


def load_engine(tuned: TunedModel, width: int, cache_mb: int, scale: float = 1.0) -> MlxEngine:
    """Both models over one copy of the weights, each with its batch; the adapter at `scale`."""
    from exchange.inference.mlx.engine import MlxEngine

    return MlxEngine(
        tuned.base,
        name=tuned.title,
        width=width,
        adapter=tuned.adapter,
        scales=(scale,),
        cache_bytes=cache_mb << 20,
    )


class SourceThread:
    """Looks answers up in the archive, in a thread of its own: SQLite's connections belong to one.

    The first look opens the index, or makes it.
    """

    def __init__(self, archive_dir: Path, language: str, run: str) -> None:
        self._search = ArchiveSearch(archive_dir, language, run)
        self._thread = ThreadPoolExecutor(1, "sources")

    async def find(self, question: str, count: int, answer: str) -> list[dict[str, Any]]:
        """The stories that an answer can be read in, as `kkoracle trace --answer --json` has them.

        Raises:
            ApiError: the archive cannot be read.
        """

        def look() -> list[dict[str, Any]]:
            return [asdict(one) for one in self._search.sources(answer, question, count=count)]

        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, look)
        except UserError as error:
            raise ApiError(503, f"sources: {error}", param="sources") from None

    def close(self) -> None:
        """Let go of the index."""
        self._thread.submit(self._search.close)
        self._thread.shutdown()


async def _follow(
    api: ChatApi, engine: InferenceThread, archive_dir: Path, tuned: TunedModel, scale: float
) -> None:
    """Let the tuned model be the one that was promoted last, for ever."""
    answering = tuned.adapter
    while True:
        await asyncio.sleep(FOLLOW_S)
        latest = versions.promoted(archive_dir)
        if latest is None or latest == answering:
            continue
        answering = latest
        if not trained_on(latest, tuned.config.model_sha):
            log.error("%s was trained on another model: start `serve` again", latest.name)
            continue
        engine.replace_adapter(latest, scale, partial(api.name_root, TUNED, latest.name))


async def _answer(
    api: ChatApi,
    engine: InferenceThread,
    listener: socket.socket,
    ready: Callable[[str], None],
    beside: Coroutine[Any, Any, None] | None,
) -> None:
    runner = web.AppRunner(
        api.app(),
        handle_signals=False,
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    site = web.SockSite(runner, listener)
    await site.start()
    stop, at_once = asyncio.Event(), asyncio.Event()
    host, port = listener.getsockname()[:2]
    with signals.stop_on_signal_in_loop(stop.set, at_once.set):
        ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/v1")
        gone = asyncio.create_task(asyncio.to_thread(engine.wait))
        following = asyncio.create_task(beside) if beside else None
        await asyncio.wait(
            {asyncio.create_task(stop.wait()), gone}, return_when=asyncio.FIRST_COMPLETED
        )
        await site.stop()
        with suppress(TimeoutError):
            await asyncio.wait_for(_drained(engine, at_once), GRACE_S)
        if following:
            following.cancel()
        await asyncio.to_thread(engine.close)
        await runner.cleanup()


async def _drained(engine: InferenceThread, at_once: asyncio.Event) -> None:
    """Return when no answer is under way, or nobody wants to wait for it."""
    while engine.active and not at_once.is_set():
        await asyncio.sleep(0.05)
