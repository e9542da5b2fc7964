"""MLX with its traps disarmed: the one place that loads a model for generation or training.

- The wired limit is never set: on an M4 Mac it panics the kernel under concurrent streams
  (ml-explore/mlx#3186). mlx-lm calls the setter from two modules; both get a no-op.
- The allocator's pool grows with every new shape; it is capped.
- On a CPU only float32 has fast kernels, so weights are cast there.
- There it also compiles and loads kernels in the folder for temporary files, unless that one may
  not be executed from.
- A chat template that forgets BOS is completed (`chat_template`).
- A GPU that hangs raises nothing, it only never answers: a watchdog ends the process.
"""

from __future__ import annotations

import importlib
import logging
import os
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from exchange.errors import MissingExtra, ModelUnfit
from exchange.inference import chat_template, models, weights
from exchange.machine import install_command

log = logging.getLogger(__name__)

CACHE_LIMIT_BYTES = 2 << 30
STUCK_EXIT_CODE = 70  # of a process that ended itself; its supervisor starts it again
WATCH_INTERVAL_S = 1.0  # at most this long between two looks
_SETTER = "maybe_set_recommended_wired_limit"


@dataclass(frozen=True, slots=True)
class LoadedModels:
    """Models over one copy of the weights, and what they have in common."""

    models: Mapping[str, Any]  # by name: `engine.BASE`, and `engine.TUNED` where there is one
    tokenizer: Any
    context: int  # longest text in tokens; 0 when nobody says


def require_mlx() -> Any:
    """Import mlx.core with our limits set.

    Raises:
        UserError: mlx or mlx-lm is not installed.
    """
    try:
        mx = importlib.import_module("mlx.core")
        modules = [
            importlib.import_module(f"mlx_lm.{name}") for name in ("generate", "tuner.trainer")
        ]
    except ImportError as error:
        raise MissingExtra(
            f"MLX is not usable here ({error}): {install_command('mlx')}", 1
        ) from None
    if os.statvfs(tempfile.gettempdir()).f_flag & getattr(os, "ST_NOEXEC", 0):
        mx.disable_compile()
    for module in modules:
        if hasattr(module, _SETTER):
            setattr(module, _SETTER, lambda *_: None)
    mx.set_cache_limit(CACHE_LIMIT_BYTES)
    return mx


def on_cpu() -> bool:
    """True when MLX's default device is the CPU."""
    mx = require_mlx()
    return bool(mx.default_device().type == mx.DeviceType.cpu)


def load(folder: Path) -> tuple[Any, Any]:
    """A model and its tokenizer from a local folder, ready to run on this machine.

    Raises:
        UserError: it cannot be loaded, in one line.
    """
    mx = require_mlx()
    from mlx_lm.utils import load as load_model

    weights.check_weights(folder, "model*.safetensors")
    models.check_tokenizer(folder)
    try:
        config = models.read_config(folder)
        model, tokenizer, *_ = load_model(str(folder), model_config=models.older_names(config))
    except (ValueError, OSError, KeyError, RuntimeError, TypeError) as error:
        raise ModelUnfit(f"cannot load the model in {folder}: {first_lines(error)}") from None
    _check_rotation(model, config, folder)
    chat_template.ensure_bos(tokenizer)
    if on_cpu():
        model.set_dtype(mx.float32)
        mx.eval(model.parameters())
    return model, tokenizer


def tokenizer(folder: Path) -> Any:
    """A model's tokenizer without the model, the same that `load` gives.

    Raises:
        UserError: it cannot be loaded.
    """
    require_mlx()
    from mlx_lm.utils import load_config, load_tokenizer

    models.check_tokenizer(folder)
    try:
        # The end marks of generation_config.json as well, as with the model.
        found = load_tokenizer(folder, eos_token_ids=load_config(folder).get("eos_token_id"))
    except (ValueError, OSError, KeyError, RuntimeError) as error:
        raise ModelUnfit(f"cannot load the tokenizer in {folder}: {error}") from None
    chat_template.ensure_bos(found)
    return found


def context_length(model: Any) -> int:
    """The longest text the model was made for, in tokens; 0 when it does not say."""
    told = (getattr(part, "args", None) for part in (language_part(model), model))
    return next((found for one in told if one and (found := models.context_length(vars(one)))), 0)


def language_part(model: Any) -> Any:
    """The part of a loaded model that is about language; one that also reads images has several."""
    return getattr(model, "language_model", model)


def _check_rotation(model: Any, config: dict[str, Any], folder: Path) -> None:
    """Refuse a model whose positions the loader would read otherwise than its config says."""
    part = models.language_part({**config, **models.older_names(config)})
    about = getattr(language_part(model), "args", None)
    asked, taken = part.get("rope_theta"), getattr(about, "rope_theta", None)
    if asked and taken and abs(float(asked) - float(taken)) > 1e-6 * float(asked):
        raise ModelUnfit(
            f"{folder / models.CONFIG} says rope_theta {asked:g} and mlx-lm takes {taken:g}: the "
            "model would babble; write rope_theta where this version of mlx-lm reads it"
        )


def first_lines(error: Exception) -> str:
    """Its first two lines: mlx-lm names every array of an adapter that is another model's."""
    first, *rest = str(error).strip().splitlines() or [type(error).__name__]
    more = f" (and {len(rest) - 1} more)" if len(rest) > 1 else ""
    return " ".join([first, *rest[:1]]) + more


def quantisation(model: Any) -> str:
    """How the loaded weights are stored: "4bit", or the name of their type."""
    from mlx.utils import tree_flatten

    for _, module in model.named_modules():
        bits = getattr(module, "bits", None)
        if bits:
            return f"{bits}bit"
    return str(tree_flatten(model.parameters())[0][1].dtype).split(".")[-1]


class Watchdog:
    """Around each step of an engine; one that takes longer than `limit_s` ends the process.

    Nothing is given back on the way out: the leases of the jobs in flight expire, and other
    workers, or this one started again, take them.
    """

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._step = 0  # odd while a step is under way
        self._closed = threading.Event()
        if limit_s:
            threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def close(self) -> None:
        """Watch no more."""
        self._closed.set()

    def __enter__(self) -> Self:
        self._step += 1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._step += 1

    def _watch(self) -> None:
        pause = min(WATCH_INTERVAL_S, self._limit_s / 4)
        seen, waited = 0, 0.0
        # Looks are counted, not the clock: a process that was frozen itself is not stuck.
        while not self._closed.wait(pause):
            step = self._step
            waited = waited + pause if step == seen and step % 2 else 0.0
            seen = step
            if waited > self._limit_s:
                log.error(
                    "no token for %g s: the engine is stuck, so this worker ends and its tasks "
                    "go back; if it happens again, lower [work] width",
                    self._limit_s,
                )
                os._exit(STUCK_EXIT_CODE)
