"""What `kkoracle doctor` says of what is installed and of what is set, before it looks at the rest.

Nothing is asked of the newspaper: `kkoracle archive probe` does that.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from crawler import language as languages
from crawler import profiles
from crawler.settings import CrawlSettings
from exchange.errors import UsageError
from exchange.inference.models import ModelSettings
from exchange.machine import install_command
from exchange.project import Project
from exchange.store.spool import FILE, Spool
from exchange.store.tasks import settled_language

Level = Literal["ok", "warn", "bad"]
MELTEMI_LANGUAGES = ("el", "en")  # what the model that is set by default speaks
# A module that tells whether an extra is installed, and what the extra is for.
EXTRAS = {
    "mlx": ("mlx_lm", "generate and train here"),
    "dashboard": ("rq_dashboard", "the queue in a browser"),
    "ui": ("uvicorn", "the studio in a browser"),
    "embedded": ("", "a Redis, where the system has none"),
    "encoder": ("tokenizers", "scoring without MLX"),
    "hub": ("huggingface_hub", "models from the Hub, and to it"),
    "metrics": ("prometheus_client", "Prometheus"),
    "ocr": ("ocrmypdf", "scans"),
    "parquet": ("pyarrow", "datasets as Parquet"),
    "pdf": ("pypdf", "PDF"),
    "report": ("scipy", "intervals and tests without MLX"),
    "warc": ("warcio", "web archives"),
    "xlsx": ("python_calamine", "spreadsheets"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, what was found, and what to do about it."""

    level: Level
    subject: str
    text: str


def _python(project: Project) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    fits = (3, 11) <= sys.version_info[:2] <= (3, 14)
    yield Finding(
        "ok" if fits else "bad",
        "python",
        version if fits else f"{version}: install Python 3.11 to 3.14",
    )


PACKAGES = ("exchange", "crawler", "workers", "trainer", "kkoracle")


def _packages(project: Project) -> Iterator[Finding]:
    """Our packages have common names: PyPI has a `trainer` of its own."""
    import importlib.metadata

    owners = importlib.metadata.packages_distributions()
    here = Path(__file__).resolve().parents[2]
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        where = Path(spec.origin).resolve().parent if spec and spec.origin else None
        others = sorted({owner for owner in owners.get(name, ()) if owner.lower() != "kkoracle"})
        if where != here / name:
            yield Finding(
                "bad",
                "packages",
                f"`{name}` is imported from {where or 'nowhere'}, not from {here}: install "
                "kkoracle in an environment of its own (`uv tool install` or `pipx install`)",
            )
        elif others:
            yield Finding(
                "bad",
                "packages",
                f"{', '.join(others)} also installs a package `{name}`, and the two overwrite each "
                f"other: pip uninstall {' '.join(others)}, then install kkoracle again",
            )


def _config(project: Project) -> Iterator[Finding]:
    from kkoracle.settings import TABLES, settings_model

    for name in TABLES:
        project.config.table(name, settings_model(name))
    where = project.config.path or "none: defaults (`kkoracle init` writes one)"
    yield Finding("ok" if project.config.path else "warn", "config", str(where))


def _archive(project: Project) -> Iterator[Finding]:
    """The archive's profile, the address that it begins at, and its language."""
    if not project.general.archive:
        yield Finding("warn", "archive", "none is set: `kkoracle init NAME` writes one down")
        return
    archive = project.archive()
    settings = project.config.table("crawl", CrawlSettings)
    imported = False
    try:
        profile = profiles.load(settings, archive)
    except UsageError as error:
        imported = True
        try:
            profile = profiles.load(settings, archive, imported=True)
        except UsageError:
            yield Finding("bad", "profile", str(error))
            return
        files = "for files that are imported, as no profile of this name is known"
        yield Finding("warn", "profile", f"{profile.name}: {files}; nothing can be crawled with it")
    else:
        yield Finding("ok", "profile", f"{profile.name} ({settings.profile or archive})")
    if not imported and urlsplit(profile.base).hostname == "localhost":
        yield Finding("bad", "address", f"{profile.base}: set [crawl] base_url to the newspaper's")
    elif not imported:
        if not settings.contact:
            wanted = "your e-mail or web address: newspapers must know who asks"
            yield Finding("bad", "contact", f"set [crawl] contact to {wanted}")
        asks = f"`kkoracle archive probe {profile.base}` asks whether it answers"
        yield Finding("ok", "address", f"{profile.base} ({asks})")
    noted = ""
    if (project.archive_dir() / FILE).exists():
        spool = Spool.read(project.archive_dir())
        try:
            noted = settled_language(spool)
        finally:
            spool.close()
    language = languages.named_language(profile, settings, project, noted, archive) or noted
    if not language:
        told = "told by the first pages; `language` in the profile, or --language, says it before"
        yield Finding("ok", "language", told)
        return
    said = languages.describe_language(language)
    level: Level = "ok" if len(said) == 1 else "warn"
    yield Finding(level, "language", "; ".join(said).removeprefix("its language is "))
    model = project.config.table("model", ModelSettings).name
    usual = ModelSettings.model_fields["name"].default
    if model == usual and language not in MELTEMI_LANGUAGES:
        yield Finding(
            "warn",
            "language",
            f"[model] name is {model}, which speaks Greek and English: name one that speaks the "
            "newspaper's language",
        )


def _extras(project: Project) -> Iterator[Finding]:
    here = {name for name, (module, _) in EXTRAS.items() if module and _is_here(module)}
    lacking = [f"{name} ({use})" for name, (module, use) in EXTRAS.items() if module]
    lacking = [one for one in lacking if one.partition(" ")[0] not in here]
    said = f"{', '.join(sorted(here)) or 'none'} installed"
    if lacking:
        said += f"; not {', '.join(lacking)}: where you need one, {install_command('NAME')}"
    yield Finding("ok", "extras", said)


def _is_here(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


SETUP_CHECKS: tuple[Callable[[Project], Iterator[Finding]], ...] = (
    _python,
    _packages,
    _config,
    _archive,
    _extras,
)
