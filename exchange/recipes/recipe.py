"""What identifies a generation: equal recipes ask for the same pairs."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Recipe:
    """How pairs are asked for: 6 hex over prompt, sampling and the model asked for."""

    id: str
    prompt: str  # id of the prompt, such as "el/chunk"
    prompt_sha: str
    sampling: str
    model: str
    language: str = ""  # of the newspaper
    kinds: dict[str, str] = field(default_factory=dict)  # recipe id of every kind of task
