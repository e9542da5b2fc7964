"""Prompts: constant before and after the chunk, and nothing in a chunk is a placeholder."""

from __future__ import annotations

from pathlib import Path

import pytest

from exchange.errors import UsageError
from exchange.recipes import prompts, registry
from exchange.records import Task
from exchange.settings import PersonaSettings
from workers.settings import WorkSettings


@pytest.mark.parametrize("name", prompts.prompt_names())
def test_every_prompt_of_ours_begins_with_a_constant_instruction(name: str) -> None:
    prompt = prompts.load_prompt(name)
    one, other = prompt.messages("κεφαλίδα", "ένα"), prompt.messages("άλλη", "δύο")
    assert one[-1]["content"].startswith(prompt.instruction)
    assert other[-1]["content"].startswith(prompt.instruction)
    after = prompt.text.partition("{text}")[2].rstrip()
    assert one[-1]["content"].endswith("ένα" + after) and other[-1]["content"].endswith(after)


@pytest.mark.parametrize("language", ["el", "en"])
@pytest.mark.parametrize("kind", ["chunk", "dense", "whois", "rephrase", "correction"])
def test_a_line_after_the_text_says_what_to_do_now(kind: str, language: str) -> None:
    """Without it a small model goes on with the newspaper."""
    (message,) = prompts.load_prompt(f"{language}/{kind}").messages("κεφαλίδα", "κείμενο")
    _, _, last = message["content"].rpartition("κείμενο")
    assert last.strip().count("\n") == 0 and last.strip().endswith(".")


def test_braces_in_a_chunk_stay_as_they_are() -> None:
    prompt = prompts.load_prompt("el/chunk-brief")
    (message,) = prompt.messages("{text}", "{header} {0} {x!r}")
    assert "{header} {0} {x!r}" in message["content"] and "{text}" in message["content"]


@pytest.mark.parametrize("name", ["el/none", "../../etc/passwd", "/etc/hosts", "el"])
def test_an_unknown_prompt_names_those_there_are(name: str) -> None:
    with pytest.raises(UsageError, match="el/chunk"):
        prompts.load_prompt(name)


def test_a_users_prompt_must_hold_both_places(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Γράψε για {text}", "utf-8")
    with pytest.raises(UsageError, match="header"):
        prompts.load_prompt(str(path))


def test_the_recipe_changes_with_prompt_sampling_and_model_and_nothing_else() -> None:
    def made(work: WorkSettings = WorkSettings(), model: str = "a/b", system: str = "") -> str:
        return registry.PromptRegistry(work, model, PersonaSettings(system=system)).recipe().id

    base = made()
    assert made(WorkSettings(width=3, lease_s=10, engine="openai", url="http://x")) == base
    changed = {
        made(WorkSettings(prompt="el/chunk-brief")),
        made(WorkSettings(temperature=0.5)),
        made(WorkSettings(max_tokens=100)),
        made(model="a/c"),
        made(system="Είσαι δημοσιογράφος."),
    }
    assert len(changed) == 5 and base not in changed
    assert all(len(name) == 6 for name in changed)


@pytest.mark.parametrize("language", ["el", "en"])
def test_every_kind_of_task_has_its_prompt_and_its_recipe(language: str) -> None:
    found = book().recipe(language)
    assert set(found.kinds) == {"chunk", *registry.PROMPTS_BY_KIND}
    assert found.kinds["chunk"] == found.id
    assert len(set(found.kinds.values())) == len(found.kinds)


def test_a_language_without_prompts_has_the_general_ones_which_ask_for_it() -> None:
    japanese, german = (book().recipe(language) for language in ("ja", "de"))
    assert set(japanese.kinds) == {"chunk", "dense", "whois", "rephrase"}
    assert japanese.prompt == german.prompt == "xx/chunk" and japanese.id != german.id
    asked = book().prompt("chunk", "ja").messages("見出し", "本文")[0]["content"]
    assert "in Japanese" in asked and "{" not in asked and asked.endswith("見出し\n本文")
    rag = prompts.template_in_language("rag", "de", {"passages", "question"})
    assert "in German" in rag.text


def test_the_default_prompt_is_that_of_the_archives_language_and_another_is_refused() -> None:
    assert book().recipe("el").prompt == "el/chunk" and book().recipe("en").prompt == "en/chunk"
    assert book().recipe("el").id == book(WorkSettings(prompt="el/chunk")).recipe("el").id
    for language in ("en", "ja"):
        with pytest.raises(UsageError, match=r'work\.prompt "el/chunk".*language is "'):
            book(WorkSettings(prompt="el/chunk")).recipe(language)


def test_a_family_of_prompts_has_only_the_kinds_that_it_has_files_for() -> None:
    assert set(book(WorkSettings(prompt="el/chunk-brief")).recipe("el").kinds) == {"chunk"}


def test_a_prompt_of_the_users_stands_beside_ours_for_the_other_kinds(tmp_path: Path) -> None:
    path = tmp_path / "mine.txt"
    path.write_text("Γράψε.\n{header}\n{text}", "utf-8")
    mine = book(WorkSettings(prompt=str(path)))
    assert mine.prompt("chunk", "el").id == str(path)
    assert mine.recipe("el").kinds["dense"] == book().recipe("el").kinds["dense"]


def test_a_worker_takes_tasks_of_any_language_and_kind_that_its_settings_make() -> None:
    ours = book()

    def task(kind: str, language: str, recipe_id: str, **given: str) -> Task:
        return Task(
            id="a" * 24,
            archive="paper",
            kind=kind,
            chunk_ids=(),
            recipe=recipe_id,
            text="κείμενο",
            header="κεφαλίδα",
            language=language,
            given=given,
        )  # type: ignore[arg-type]

    for language in ("el", "en"):
        for kind, recipe_id in ours.recipe(language).kinds.items():
            assert ours.fits(task(kind, language, recipe_id, question="Ποιος;"))
            assert not ours.fits(task(kind, language, "000000", question="Ποιος;"))
    assert not ours.fits(task("chunk", "xx", ours.recipe("el").id))
    asked = {"question": "Ποιος;", "true": "2012"}
    ids = {"refusal": "el/refusal", "correction": "el/correction"}
    assert ours.prompt_of(task("refusal", "el", "", **asked)).id == ids["correction"]
    assert (
        ours.prompt_of(task("refusal", "el", "", question="Ποιος;", true="")).id == (ids["refusal"])
    )
    last = ours.messages(task("refusal", "el", "", **asked))[-1]["content"].splitlines()[-3]
    assert last == "Ποιος;"


def test_there_are_a_hundred_general_questions_and_none_twice() -> None:
    asked = prompts.general_questions("el")
    assert len(asked) >= 100 and len(set(asked)) == len(asked)
    assert prompts.general_questions("en") and prompts.general_questions("xx") == ()


def book(work: WorkSettings = WorkSettings()) -> registry.PromptRegistry:
    return registry.PromptRegistry(work, "a/b", PersonaSettings())
