"""What a task asks for: which prompt, which sampling, which model. Six hex digits name it.

Every kind of task has a recipe of its own, so that a changed prompt makes only its own tasks anew.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from exchange.errors import UsageError
from exchange.inference.engine import Message
from exchange.recipes import prompts
from exchange.recipes.prompts import TaskPrompt
from exchange.recipes.recipe import Recipe
from exchange.records import Task, digest
from exchange.settings import DEFAULT_LANGUAGE, PersonaSettings

# The prompts of each kind beside `chunk`. A refusal that corrects has a chunk to correct by.
PROMPTS_BY_KIND = {
    "dense": ("dense",),
    "whois": ("whois",),
    "rephrase": ("rephrase",),
    "refusal": ("refusal", "correction"),
    "replay": ("replay",),
}


class GenerationSettings(Protocol):
    """What a recipe takes from the settings of a worker."""

    @property
    def prompt(self) -> str: ...
    @property
    def temperature(self) -> float: ...
    @property
    def max_tokens(self) -> int: ...
    @property
    def seed(self) -> int: ...


class PromptRegistry:
    """The prompts and recipes of these settings, for every language and kind of task.

    The model counts by the name asked for, not by where it runs: a converted copy in MLX and an
    endpoint that serves the original are the same request.
    """

    def __init__(self, work: GenerationSettings, model: str, persona: PersonaSettings) -> None:
        self._work = work
        self._model = model  # the name asked for
        self._persona = persona
        self._recipes: dict[str, Recipe] = {}
        self._prompts: dict[tuple[str, str], TaskPrompt] = {}

    def recipe(self, language: str = "") -> Recipe:
        """The recipe of chunk tasks, and the ids of those of the other kinds.

        Raises:
            UsageError: there is no such prompt.
        """
        if language not in self._recipes:
            self._recipes[language] = self._recipe(language)
        return self._recipes[language]

    def prompt(self, name: str, language: str = "") -> TaskPrompt:
        """The prompt of this name and language.

        Raises:
            UsageError: there is no such prompt.
        """
        if (name, language) not in self._prompts:
            self._prompts[name, language] = self._prompt(name, language)
        return self._prompts[name, language]

    def _recipe(self, language: str) -> Recipe:
        work = self._work
        prompt = self.prompt("chunk", language)
        sampling = f"temperature={work.temperature} max_tokens={work.max_tokens} seed={work.seed}"
        found = Recipe(
            self._id([self.sha(prompt)], sampling),
            prompt.id,
            self.sha(prompt),
            sampling,
            self._model,
            self._language(language),
        )
        kinds = {"chunk": found.id}
        for kind, names in PROMPTS_BY_KIND.items():
            asked = [self.prompt(name, language) for name in names if self._has(name, language)]
            if len(asked) == len(names):
                shas = [self.sha(one) for one in asked]
                if kind == "replay":
                    shas.append(digest(*prompts.general_questions(self._language(language))))
                kinds[kind] = self._id(shas, sampling)
        return replace(found, kinds=kinds)

    def _id(self, shas: list[str], sampling: str) -> str:
        return digest(*shas, sampling, self._model, size=3)

    def sha(self, prompt: TaskPrompt) -> str:
        """The hash of what is constant in a request: the prompt, and the persona's system text."""
        system = self._persona.system
        return digest(prompt.sha, system, size=prompts.PROMPT_SHA_BYTES) if system else prompt.sha

    def _prompt(self, name: str, language: str) -> TaskPrompt:
        if name == "chunk" and not self._is_own():
            return prompts.load_prompt(self._work.prompt, self._language(language))
        return prompts.load_prompt(self._named(name, language), self._language(language))

    def _named(self, name: str, language: str) -> str:
        """«chunk-brief» has the family "-brief": its other kinds are «el/rephrase-brief» ...

        Raises:
            UsageError: the setting names a prompt of another language than the newspaper's.
        """
        own, _, chunk = self._work.prompt.rpartition("/") if self._is_own() else ("", "", "chunk")
        spoken = self._language(language)
        folder = prompts.prompt_folder(spoken)
        if own not in ("", spoken, folder):
            raise UsageError(
                f'work.prompt "{self._work.prompt}" is a prompt in "{own}" and the archive\'s '
                f'language is "{spoken}" (its profile\'s, or `import --language`): write '
                f'work.prompt = "{chunk}", which is the prompt of whatever language it is'
            )
        return f"{folder}/{name}{chunk.removeprefix('chunk')}"

    def _language(self, language: str) -> str:
        own = self._work.prompt.rpartition("/")[0] if self._is_own() else ""
        return language or own or self._persona.language or DEFAULT_LANGUAGE

    def _is_own(self) -> bool:
        own = self._work.prompt
        return own.rpartition("/")[2].startswith("chunk") and not own.endswith(".txt")

    def _has(self, name: str, language: str) -> bool:
        return self._named(name, language) in prompts.prompt_names()

    def prompts(self, language: str = "") -> list[TaskPrompt]:
        """The prompts of all kinds in a language, the chunks' first."""
        names = [name for some in PROMPTS_BY_KIND.values() for name in some]
        others = [self.prompt(name, language) for name in names if self._has(name, language)]
        return [self.prompt("chunk", language), *others]

    def fits(self, task: Task) -> bool:
        """True when the task asks for what these settings give."""
        try:
            return self.recipe(task.language).kinds.get(task.kind) == task.recipe
        except UsageError:  # a language without prompts
            return False

    def prompt_of(self, task: Task) -> TaskPrompt:
        """The prompt that a task is asked with."""
        name = "correction" if task.kind == "refusal" and task.given.get("true") else task.kind
        return self.prompt(name, task.language)

    def messages(self, task: Task) -> list[Message]:
        """The request for one task."""
        text = task.text
        if task.kind == "refusal":
            text = f"{text}\n\n{task.given.get('question', '')}".strip()
        return self.prompt_of(task).messages(task.header, text, self._persona.system)

    def follow_up(self, task: Task, question: str) -> list[Message]:
        """A question about the text that a task was about, to be answered from it alone."""
        template = prompts.template_in_language("verify", task.language, {"question"})
        asked = template.fill({"question": question})
        prompt, system = self.prompt_of(task), self._persona.system
        return prompt.follow_up(task.header, task.text, asked, system)
