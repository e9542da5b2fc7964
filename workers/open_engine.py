"""Open the engine that the settings ask for, and hold this machine's GPU while it runs."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from exchange import lock, machine
from exchange.inference import batch_width, models, runtime
from exchange.inference.engine import Engine, SamplingParams
from exchange.settings import Config, GeneralSettings
from workers.settings import WorkSettings

log = logging.getLogger(__name__)

KEPT_BYTES = 1 << 30  # of replies just ended, so that verification need not read chunks again
ENDPOINT_WIDTH = 32  # requests in flight; an endpoint that batches fewer queues the rest


def open_engine(config: Config, work: WorkSettings) -> Engine:
    """Load the model, or reach the endpoint.

    Raises:
        UserError: the model or the endpoint cannot be used.
    """
    model = config.table("model", models.ModelSettings)
    if work.engine == "openai":
        from exchange.inference.openai_engine import OpenAIEngine

        return OpenAIEngine(
            work.url,
            name=model.name,
            served_as=work.served_as,
            width=work.width or ENDPOINT_WIDTH,
            api_key=work.api_key,
            temperature=work.temperature,
            top_p=work.top_p,
        )
    from exchange.inference.mlx.engine import MlxEngine

    data = config.table("", GeneralSettings).data
    folder = models.locate(model, data / "models", confirm=lambda _: False)
    float32 = runtime.on_cpu()
    kept = KEPT_BYTES if work.verify else 0
    plan = batch_width.plan(
        folder, work.width, work.max_tokens, machine.usable_memory() - kept, float32=float32
    )
    log.log(logging.INFO if plan.fits else logging.WARNING, "%s", plan)
    return MlxEngine(
        folder,
        name=model.name,
        width=plan.rows,
        sampling=SamplingParams(work.temperature, work.top_p),
        deadline_s=work.deadline_s,
        watchdog_s=work.watchdog_s,
        cache_bytes=kept,
    )


@contextlib.contextmanager
def hold_gpu_share(config: Config, work: WorkSettings) -> Iterator[None]:
    """Our share of this machine's processor: several workers may have one, training needs all.

    Raises:
        UserError: a training run holds it.
    """
    if work.engine != "mlx":
        yield
        return
    with lock.hold_gpu(config.table("", GeneralSettings).data, shared=True):
        yield
