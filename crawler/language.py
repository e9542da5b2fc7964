"""The language of an archive: one fact. A profile or `--language` says it, else its first pages do.

It is settled once, as the first pages are here, and kept in the spool; persona, prompts, rules and
report follow it. Two settings that say different things are an error which names both.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crawler import profiles, records
from crawler.frontier.raw_store import RawStore
from exchange.errors import UsageError
from exchange.project import Project
from exchange.recipes.prompts import GENERAL, prompt_folder
from exchange.settings import PersonaSettings
from exchange.store import tasks
from exchange.store.spool import Spool
from exchange.text.detect import detect_language
from exchange.text.language import has_rules, load_language

if TYPE_CHECKING:
    from crawler.profile import Profile
    from crawler.settings import CrawlSettings

log = logging.getLogger(__name__)

SAMPLE_PAGES = 24  # stored pages that are looked at
ENOUGH_PAGES = 8  # with a text; a crawl that begins waits for so many


def settle_language(
    profile: Profile,
    settings: CrawlSettings,
    project: Project,
    archive: str,
    spool: Spool,
    pages: sqlite3.Connection | None = None,
) -> str:
    """The archive's language, noted in its spool; "" while nothing tells it.

    Args:
        pages: to tell it from, where nobody says it.

    Raises:
        UsageError: two settings contradict each other.
    """
    noted = tasks.settled_language(spool)
    named = named_language(profile, settings, project, noted, archive)
    language = named or noted
    if not language and pages is not None:
        language = _detect(pages, profile, archive)
    if language != spool.meta(tasks.LANGUAGE_KEY):
        if noted and language != noted:
            log.warning("%s: its language was %s and is now %s", archive, noted, language)
        with spool.transaction():
            spool.set_meta(tasks.LANGUAGE_KEY, language)
    return language


def with_language(profile: Profile, language: str) -> Profile:
    """The profile of an archive in this language."""
    return profiles.with_values(profile, language=language)


def settled_profile(
    project: Project, archive: str, settings: CrawlSettings, *, imported: bool = False
) -> Profile:
    """The profile of an archive that has begun, in the language that was settled."""
    profile = profiles.load(settings, archive, imported=imported)
    language = profile.language or settings.language
    return with_language(profile, language or project.language(archive))


def named_language(
    profile: Profile, settings: CrawlSettings, project: Project, noted: str, archive: str
) -> str:
    """What the settings say, "" where they leave it open."""
    persona = project.config.table("persona", PersonaSettings).language
    said = {
        f"`language` in the profile {settings.profile or archive}": profile.language,
        "crawl.language (--language)": settings.language,
        "persona.language": persona,
    }
    given = [(key, value) for key, value in said.items() if value]
    if given and noted and all(key == "persona.language" for key, _ in given):
        given.append((f"the archive {archive} itself", noted))
    for key, value in given[1:]:
        if value != given[0][1]:
            raise UsageError(
                f'{given[0][0]} is "{given[0][1]}" and {key} is "{value}": a newspaper has one '
                "language; take one of them out"
            )
    return given[0][1] if given else ""


def _detect(pages: sqlite3.Connection, profile: Profile, archive: str) -> str:
    stored = list(_stored_texts(pages, profile))
    language = detect_language([text for text, _ in stored], [tag for _, tag in stored])
    if language:
        log.warning("%s: %s", archive, "; ".join(describe_language(language)))
    return language


def _stored_texts(pages: sqlite3.Connection, profile: Profile) -> Iterator[tuple[str, str]]:
    """Texts of stored pages, spread over all, with the language that each names."""
    # What reads pages is another process's; this one needs it only where nobody says the language.
    from crawler.extract.charset import markup_of
    from crawler.extract.documents import UnreadableDocument, read_document
    from crawler.extract.html import declared_language, paragraphs, parse
    from crawler.extract.worker import load

    ids = [row[0] for row in pages.execute("SELECT page FROM bodies ORDER BY page")]
    bodies = RawStore(pages)
    for page in ids[:: max(1, len(ids) // SAMPLE_PAGES)][:SAMPLE_PAGES]:
        stored = load(pages, bodies, page, profile.base)
        if stored is None:
            continue
        if stored.kind in records.FILES and stored.kind != records.HTML:
            try:
                parts = read_document(stored.kind, stored.body, stored.url, profile.charset)
            except (UnreadableDocument, ValueError):
                continue
            yield "\n".join(parts.paragraphs), ""
            continue
        root = parse(markup_of(stored, profile))
        if root is not None and (text := "\n".join(paragraphs([root]))):
            yield text, declared_language(root)


def describe_language(language: str) -> list[str]:
    """For people: the language, and what is not there in it."""
    name = load_language(language).english_name
    lines = [f"its language is {name} ({language})"]
    if prompt_folder(language) == GENERAL:
        lines.append(
            f"there are no prompts in {name}: the general ones, in English, ask for {name}; "
            "refusals, corrections and replay are left out"
        )
    if not has_rules(language):
        lines.append(
            "checks that need the language's own words are off (deictic, meta-reference, "
            "undated-event, pronoun-only, wrong-sort, unattributed-claim)"
        )
    return lines
