"""The rate that was found, for the config file and for other programs."""

from __future__ import annotations

import re
import tomllib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from exchange.errors import UsageError
from exchange.files import write_atomic
from trainer.training.sweep.search import SweepResult

_TABLE = re.compile(r"^\s*\[\s*train\s*\]\s*(#.*)?$", re.M)
_NEXT = re.compile(r"^\s*\[", re.M)
_LR = re.compile(r"^([ \t]*)(?:#[ \t]*)?lr[ \t]*=.*$", re.M)


def write_rate(path: Path | None, rate: float) -> Path:
    """Set `lr` under [train], and leave every other line as it is.

    Raises:
        UsageError: there is no config file, or the result would not say what it should.
    """
    if path is None:
        raise UsageError("there is no kkoracle.toml to write to: `kkoracle init` makes one")
    text = path.read_text("utf-8")
    line = f"lr = {rate!r}"
    found = _TABLE.search(text)
    if found is None:
        changed = f"{text.rstrip()}\n\n[train]\n{line}\n"
    else:
        following = _NEXT.search(text, found.end())
        end = following.start() if following else len(text)
        body = text[found.end() : end]
        kept, count = _LR.subn(line, body, count=1)
        changed = text[: found.end()] + (kept if count else f"\n{line}{body}") + text[end:]
    if _rate(changed) != rate:
        raise UsageError(f"{path} is written in a way that cannot be changed safely: set {line}")
    write_atomic(path, changed.encode())
    return path


def _rate(text: str) -> Any:
    try:
        return tomllib.loads(text).get("train", {}).get("lr")
    except tomllib.TOMLDecodeError:
        return None


def sweep_dict(found: SweepResult) -> dict[str, Any]:
    """Everything but the losses of single rows, for `--json`."""
    return {
        "lr": found.rate,
        "drift": round(found.drift, 4),
        "recall": found.recall,
        "edge": found.edge,
        "share_of_steps": round(found.plan.share, 4),
        "rounds": [asdict(best) for best in found.bests],
        "tries": [
            {
                "rate": one.rate,
                "rows": one.rows,
                "steps": one.steps,
                "diverged": one.diverged,
                "loss": None if one.diverged else round(one.loss, 5),
                "cpu_s": one.cpu_s,
            }
            for one in found.tries
        ],
    }
