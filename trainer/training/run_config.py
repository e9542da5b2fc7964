"""What a run is made of, and when two runs are the same one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from exchange.recipes.prompts import PromptTemplate
from trainer.training.settings import TrainSettings

# What is learned stays the same with any of these.
FREE_SETTINGS = (
    "save_every",
    "samples",
    "sample_tokens",
    "trunk_gb",
    "memory_gb",
    "grad_checkpoint",
    "continue_words",
)
STEP_ROWS = ("batch", "accumulate")  # only their product decides which rows a step sees
# Settings that came later, by the value that leaves a run as it was before they were there.
LATER_SETTINGS = {"until_learned": False, "open_book": 0.0, "passage_prompt": ""}
FIRST_FREE = ("save_every", "samples", "sample_tokens", "trunk_gb", "memory_gb")  # of version 0.1


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run is made of; a run goes on only with exactly this."""

    model: str  # as asked for: Hub name or folder
    model_sha: str  # over its config, tokenizer and the sizes of its weights
    dataset: str  # the manifest's name of it
    settings: dict[str, Any]

    @property
    def sha(self) -> str:
        """12 hex that name everything but the free settings."""
        return self._sha_of(self.learned)

    @property
    def first_sha(self) -> str:
        """The same as version 0.1 made it."""
        settings = self.settings.items()
        return self._sha_of({name: value for name, value in settings if name not in FIRST_FREE})

    def _sha_of(self, settings: Mapping[str, Any]) -> str:
        named = orjson.dumps([self.model_sha, self.dataset, settings], option=orjson.OPT_SORT_KEYS)
        return sha256(named).hexdigest()[:12]

    @property
    def learned(self) -> dict[str, Any]:
        """The settings that decide what is learned, whichever way it is computed."""
        others = {"distil", "preference"} - {self.settings.get("recipe")}
        fixed = {
            name: value
            for name, value in self.settings.items()
            if name not in (*FREE_SETTINGS, *STEP_ROWS)
            and name.partition("_")[0] not in others
            and (name != "until_learned" or value)  # a run of before it was there has none
        }
        if all(name in self.settings for name in STEP_ROWS):
            fixed[" * ".join(STEP_ROWS)] = math.prod(self.settings[name] for name in STEP_ROWS)
        return fixed

    def differences(self, other: RunConfig) -> list[str]:
        """In words: what another run's beginning has otherwise. Free settings do not count."""
        found = []
        for name in ("model", "model_sha", "dataset"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs and not (name == "model" and self.model_sha == other.model_sha):
                found.append(f"{name} was {mine}, is {theirs}")
        ours, others = self.learned, other.learned
        for key in sorted(set(ours) | set(others)):
            mine, theirs = (some.get(key, LATER_SETTINGS.get(key)) for some in (ours, others))
            if mine != theirs:
                found.append(f"{key} was {mine}, is {theirs}")
        return found


def make_run_config(
    model: str,
    folder: Path,
    dataset: str,
    settings: TrainSettings,
    template: PromptTemplate | None = None,
    continues: str = "",
    continue_words: Sequence[str] = (),
) -> RunConfig:
    """What a run is made of.

    Args:
        continues: the adapter and rows of one that goes on from another.
        continue_words: what `kkoracle train` is told for that.
    """
    about = settings.model_dump()
    if continues:
        about |= {"continues": continues, "continue_words": list(continue_words)}
    if template:  # a prompt of the same name may be another one tomorrow
        about["passage_prompt"] = f"{template.id} {template.sha}"
    return RunConfig(model, model_sha(folder), dataset, about)


def model_sha(folder: Path) -> str:
    """12 hex over config, tokenizer, and the size and last 4 kB of every file of weights.

    Not over all weights: gigabytes would take a minute, and two models that agree in all of this
    do not occur by accident.
    """
    sha = sha256()
    for name in ("config.json", "tokenizer.json"):
        if (folder / name).exists():
            sha.update((folder / name).read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        sha.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            file.seek(-min(size, 4096), 2)
            sha.update(file.read())
    return sha.hexdigest()[:12]
