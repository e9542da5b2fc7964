"""One `kkoracle.toml` with a table per stage; flag, environment, file, default, in that order.

The stages bring their own pydantic models (with `extra="forbid"`); this module only finds the
values and says where each came from. It knows no stage.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from exchange.errors import UsageError
from exchange.files import parse_toml

# Pydantic looks for plugins in what every installed package says of itself, which takes as long as
# to import it; none is wanted here.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

FILE = "kkoracle.toml"
ENV_PREFIX = "KKORACLE_"
DEFAULT_LANGUAGE = "el"  # of an archive that never said another


# Variables that are no setting, with what each does; the rest is KKORACLE_TABLE_KEY.
VARIABLES = {
    "KKORACLE_CONFIG": "the config file, in place of `kkoracle.toml` in this folder",
    "KKORACLE_EVALUATE_API_KEY": "the key of the endpoint that `evaluate` asks",
    "KKORACLE_PARENT": "set by us: the process, without which this one ends",
    "KKORACLE_BLAS": "set by us: the OpenBLAS that this process was started with",
    "KKORACLE_WORKER_NAME": "set by us, for a worker's process: what it is called",
    "KKORACLE_WORKER_REDIS": "set by us: the Redis that the supervisor has found",
    "KKORACLE_WORKER_MODULE": "the module that a worker's process runs; for tests",
}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def _seconds(value: object) -> object:
    """ "90", "30m", "1h", "2d" as seconds; anything else as it is, for pydantic to refuse."""
    text = str(value).strip().lower()
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise ValueError(f"{value!r} is no time: write 30m, 1h or 2d") from None


Seconds = Annotated[float, BeforeValidator(_seconds)]


class SettingsTable(BaseModel):
    """Base of every table: unknown keys are errors, values never change after loading."""

    # Built when first used: a command reads few of the tables that it imports.
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class GeneralSettings(SettingsTable):
    """The keys at the top of the file, outside any table."""

    data: Path = Field(Path("kkoracle-data"), description="folder for everything we keep")
    archive: str = Field("", description="the archive that commands work on by default")


class RedisSettings(SettingsTable):
    """[redis]"""

    url: str = Field("", description="an existing Redis; empty: start our own, per data folder")
    maxmemory_mb: int = Field(512, ge=16, description="limit of our own Redis")
    reconcile_s: float = Field(30, ge=1, description="seconds between two checks for lost jobs")


class PersonaSettings(SettingsTable):
    """[persona]: who the model is; used in prompts, data, chat and model card."""

    name: str = Field("kkOracle", description="what the tuned model calls itself")
    language: str = Field(
        "", pattern=r"^([a-z]{2,3})?$", description="of its answers, ISO 639; empty: the archive's"
    )
    goal: str = Field("answer questions about the newspaper's archive", description="its purpose")
    system: str = Field("", description="system message put before every question; may be empty")


T = TypeVar("T", bound=SettingsTable)


class Config:
    """The file and the environment, read once; tables are validated when asked for."""

    def __init__(self, raw: Mapping[str, Any], path: Path | None, env: Mapping[str, str]) -> None:
        self.raw = raw
        self.path = path
        self.environment = env
        self.sources: dict[str, str] = {}  # "crawl.delay" -> where its value came from
        self.tables_read: dict[
            str, SettingsTable
        ] = {}  # the tables that were asked for, as they last were

    @classmethod
    def find(cls, path: Path | None = None, env: Mapping[str, str] = os.environ) -> Config:
        """Read `path`, else KKORACLE_CONFIG, else `kkoracle.toml` in this folder, if any.

        Raises:
            UsageError: the named file is missing, or the file is not TOML.
        """
        named = path or (Path(env["KKORACLE_CONFIG"]) if env.get("KKORACLE_CONFIG") else None)
        chosen = named or Path(FILE)
        if not chosen.exists():
            if named:
                raise UsageError(f"no config file at {named}: `kkoracle init` writes one")
            return cls({}, None, env)
        try:
            return cls(parse_toml(chosen.read_text("utf-8")), chosen, env)
        except ValueError as error:
            raise UsageError(f"{chosen} is not valid TOML: {error}") from None
        except OSError as error:
            raise UsageError(f"cannot read {chosen}: {error.strerror}") from None

    def table(self, name: str, model: type[T], flags: Mapping[str, Any] | None = None) -> T:
        """Validate one table; `name` is "" for the keys at the top.

        Args:
            flags: values from the command line; None among them means "not given".

        Raises:
            UsageError: an unknown key (with the nearest right one), or a value that does not fit.
        """
        raw = self.raw.get(name, {}) if name else _scalars(self.raw)
        if not isinstance(raw, dict):
            raise UsageError(f"{self._where()}: [{name}] must be a table")
        values: dict[str, Any] = {}
        for key, field in model.model_fields.items():
            dotted = f"{name}.{key}" if name else key
            variable = ENV_PREFIX + dotted.replace(".", "_").upper()
            self.sources[dotted] = "default"
            for source, found in (
                (self._where(), raw.get(key)),
                (variable, self.environment.get(variable) or None),
                ("flag", (flags or {}).get(key)),
            ):
                if found is not None and not (found == "" and field.default is None):
                    values[key], self.sources[dotted] = _parse(found, field.annotation), source
        for key in raw:
            if key not in model.model_fields:
                raise UsageError(_unknown(self._where(), name, key, list(model.model_fields)))
        try:
            made = model(**values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            dotted = f"{name}.{key}" if name else key
            source = self.sources.get(dotted, self._where())
            raise UsageError(
                f"{dotted} (from {source}): {first['msg'].removeprefix('Value error, ')}"
            ) from None
        self.tables_read[name] = made
        return made

    def check_tables(self, known: list[str]) -> None:
        """Refuse a table that no stage knows."""
        for key, value in self.raw.items():
            if isinstance(value, dict) and key not in known:
                raise UsageError(_unknown(self._where(), "", key, known))

    def check_environment(
        self, keys: Callable[[str], Collection[str]], tables: Sequence[str]
    ) -> None:
        """Refuse a variable that begins as ours do and sets nothing: it is misspelt.

        Args:
            keys: the keys of a table, by its name; a table that no variable names is not asked.
            tables: the names of all; "" for the keys at the top.
        """
        for variable in sorted(self.environment):
            name = variable.removeprefix(ENV_PREFIX)
            if name == variable or variable in VARIABLES:
                continue
            begun = [table for table in tables if name.startswith(f"{table}_".upper())]
            if name in variable_names(keys, ["", *begun]):
                continue
            known = variable_names(keys, begun or tables)
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            hint = f"did you mean {ENV_PREFIX}{near[0]}?" if near else "`kkoracle config` shows all"
            raise UsageError(f"{variable} in the environment sets nothing; {hint}")

    def _where(self) -> str:
        return str(self.path) if self.path else FILE


def variable_names(keys: Callable[[str], Collection[str]], tables: Iterable[str]) -> list[str]:
    """The variables that set the keys of these tables, without their prefix."""
    return [f"{table}_{key}".lstrip("_").upper() for table in tables for key in keys(table)]


def _scalars(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if not isinstance(value, dict)}


def _parse(value: Any, annotation: Any) -> Any:
    """A list in the environment is written with commas."""
    if isinstance(value, str) and getattr(annotation, "__origin__", None) in (tuple, list):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _unknown(where: str, table: str, key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(known))}"
    return f"{where}: unknown key {key!r}" + (f" in [{table}]" if table else "") + f"; {hint}"
