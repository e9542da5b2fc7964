"""Find and read profiles: the built-in ones, or a file of the user's."""

from __future__ import annotations

from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from pydantic import BaseModel, ValidationError

from crawler.profile import (
    ChunkSettings,
    ExclusionRules,
    IssueRange,
    LinkKind,
    PageShape,
    Profile,
    ValueSelector,
)
from crawler.settings import CrawlSettings
from exchange.errors import UsageError
from exchange.files import parse_toml

_MODELS: dict[str, type[BaseModel]] = {
    "kinds": LinkKind,
    "ranges": IssueRange,
    "shapes": PageShape,
    "chunk": ChunkSettings,
    "leave_out": ExclusionRules,
}


def builtin() -> dict[str, Profile]:
    """The profiles that come with us, by name."""
    folder = files("crawler").joinpath("archives")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return {
        name.removesuffix(".toml"): parse(folder.joinpath(name).read_text("utf-8"), name)
        for name in names
    }


def load(settings: CrawlSettings, archive: str, *, imported: bool = False) -> Profile:
    """The profile that an archive is crawled with, the settings' overrides put in.

    Args:
        imported: an archive that is only imported needs none: the generic one reads its files.

    Raises:
        UsageError: there is none of that name, or it is not sound; one line says where.
    """
    wanted = settings.profile or archive
    folder = files("crawler").joinpath("archives")
    found = folder.joinpath(f"{wanted}.toml")
    path = Path(wanted).expanduser()
    if not settings.profile and Path(f"{archive}.toml").is_file():
        path = Path(f"{archive}.toml")  # one beside another, where a project has several archives
    if "/" not in wanted and not wanted.endswith(".toml") and found.is_file():
        profile = parse(found.read_text("utf-8"), wanted)
    elif path.is_file():
        try:
            profile = parse(path.read_text("utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the profile {path}: {error}") from None
    elif imported and not settings.profile:
        text = folder.joinpath("generic.toml").read_text("utf-8")
        profile = parse(text, "generic").model_copy(update={"name": archive, "min_words": 5})
    else:
        known = sorted(builtin())
        near = get_close_matches(wanted, known, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        raise UsageError(
            f"no profile {wanted!r}; {hint} (set [crawl] profile to a file of your own, or to "
            "'generic' together with base_url)"
        )
    if not imported and not profile.kinds:
        raise UsageError(
            f"the profile {wanted} names no kinds of pages: it is for files that are imported; "
            f"`kkoracle archive learn {profile.base}` proposes one for a site"
        )
    if settings.route:
        if settings.route not in profile.routes:
            routes = ", ".join(sorted(profile.routes)) or "none"
            raise UsageError(f"crawl.route {settings.route!r}: the profile's routes are {routes}")
        profile = by_route(profile, settings.route)
    return _based(profile, settings.base_url) if settings.base_url else profile


def by_route(profile: Profile, route: str) -> Profile:
    """The profile with the roles that a route gives to its kinds."""
    roles = profile.routes[route]
    kinds = {
        name: kind.model_copy(update={"role": roles.get(name, kind.role)})
        for name, kind in profile.kinds.items()
    }
    return profile.model_copy(update={"kinds": kinds})


def _based(profile: Profile, url: str) -> Profile:
    try:
        return with_values(profile, base=url)
    except ValidationError as error:
        raise UsageError(f"crawl.base_url: {_first_error(error)}") from None


def with_values(profile: Profile, **values: str) -> Profile:
    """The profile with other values, checked as a file's are; what it left open stays open.

    Raises:
        ValidationError: a value does not fit.
    """
    return Profile.model_validate(profile.model_dump(exclude_unset=True) | values)


def parse(text: str, where: str) -> Profile:
    """Read one profile's TOML.

    Raises:
        UsageError: not TOML, an unknown or missing key, a value that does not fit.
    """
    try:
        return Profile.model_validate(parse_toml(text))
    except ValidationError as error:
        raise UsageError(f"profile {where}: {_first_error(error)}") from None
    except ValueError as error:
        raise UsageError(f"profile {where} is not valid TOML: {error}") from None


def _first_error(error: ValidationError) -> str:
    """One error in one line. A misspelt key comes first: it explains the one that is missing."""
    errors = error.errors()
    first = next((item for item in errors if item["type"] == "extra_forbidden"), errors[0])
    place = ".".join(str(part) for part in first["loc"])
    message = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] != "extra_forbidden":
        return f"{place}: {message}" if place else message
    key = str(first["loc"][-1])
    owner: type[BaseModel] = Profile
    if len(first["loc"]) > 1:
        owner = _MODELS.get(str(first["loc"][0]), ValueSelector)
        if len(first["loc"]) > 3:
            owner = ValueSelector
    near = get_close_matches(key, list(owner.model_fields), n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(owner.model_fields)}"
    return f"unknown key {place!r}; {hint}"
