"""What a task asks for: which prompt, which sampling, which model. Six hex digits name it."""

from __future__ import annotations

from exchange.house import Recipe
from exchange.models import Model
from exchange.records import digest
from exchange.settings import Config, Persona
from workers import prompts
from workers.settings import Work


def of(work: Work, model: Model, persona: Persona) -> Recipe:
    """The recipe of these settings.

    The model counts by the name asked for, not by where it runs: a converted copy in MLX and an
    endpoint that serves the original are the same request.
    """
    prompt = prompts.load(work.prompt)
    sampling = (
        f"temperature={work.temperature} top_p={work.top_p} max_tokens={work.max_tokens} "
        f"seed={work.seed}"
    )
    sha = (
        digest(prompt.sha, persona.system, size=prompts.SHA_BYTES) if persona.system else prompt.sha
    )
    return Recipe(digest(sha, sampling, model.name, size=3), prompt.id, sha, sampling, model.name)


def current(config: Config) -> Recipe:
    """The recipe that the settings ask for now."""
    return of(
        config.table("work", Work), config.table("model", Model), config.table("persona", Persona)
    )
