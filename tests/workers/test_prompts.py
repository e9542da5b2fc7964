"""Prompts: constant first, chunk last, and nothing in a chunk is a placeholder."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.errors import UsageError
from exchange.models import Model
from exchange.settings import Persona
from workers import prompts, recipe
from workers.settings import Work


@pytest.mark.parametrize("name", prompts.names())
def test_every_prompt_of_ours_begins_with_a_constant_instruction(name: str) -> None:
    prompt = prompts.load(name)
    one, other = prompt.messages("κεφαλίδα", "ένα"), prompt.messages("άλλη", "δύο")
    assert one[-1]["content"].startswith(prompt.instruction)
    assert other[-1]["content"].startswith(prompt.instruction)
    assert one[-1]["content"].endswith("ένα")


def test_braces_in_a_chunk_stay_as_they_are() -> None:
    prompt = prompts.load("el/chunk-brief")
    (message,) = prompt.messages("{text}", "{header} {0} {x!r}")
    assert "{header} {0} {x!r}" in message["content"] and "{text}" in message["content"]


@pytest.mark.parametrize("name", ["el/none", "../../etc/passwd", "/etc/hosts", "el"])
def test_an_unknown_prompt_names_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="el/chunk"):
        prompts.load(name)


def test_a_users_prompt_must_hold_both_places(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Γράψε για {text}", "utf-8")
    with pytest.raises(UsageError, match="header"):
        prompts.load(str(path))


def test_the_recipe_changes_with_prompt_sampling_and_model_and_nothing_else() -> None:
    def made(work: Work = Work(), model: str = "a/b", system: str = "") -> str:
        return recipe.of(work, Model(name=model), Persona(system=system)).id

    base = made()
    assert made(Work(width=3, lease_s=10, engine="openai", url="http://x")) == base
    changed = {
        made(Work(prompt="el/chunk-brief")),
        made(Work(temperature=0.5)),
        made(Work(max_tokens=100)),
        made(model="a/c"),
        made(system="Είσαι δημοσιογράφος."),
    }
    assert len(changed) == 5 and base not in changed
    assert all(len(name) == 6 for name in changed)
