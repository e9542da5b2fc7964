"""Where a model is: a local folder, or a Hub name that is converted once and kept.

Nothing here evaluates an array; `exchange.inference.runtime` loads what this module finds.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from exchange.display import format_bytes
from exchange.errors import DiskFull, MissingExtra, ModelUnfit, NotAllowed, NotFound, Unreachable
from exchange.files import atomic_folder
from exchange.machine import install_command
from exchange.settings import SettingsTable

SPARE_BYTES = 2e9  # of disk, that a model should leave free
DEFAULT = "ilsp/Meltemi-7B-Instruct-v1.5"
CONFIG = "config.json"
LANGUAGE_PARTS = ("text_config", "language_config", "llm_config", "language_model")
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "n_ctx")
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "tokenizer_config.json")
ADDED = "added_tokens.json"
_TOKENIZER_JSON = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", ADDED)
_MANY = (
    *("added_tokens", "added_tokens_decoder", "additional_special_tokens"),
    *("extra_special_tokens", "model_specific_special_tokens"),
)
MAX_ADDED_TOKENS = 20_000  # Gemma has 6,400, most models fewer than 2,000
MAX_TOKENIZER_BYTES = 200_000_000  # of a file of JSON; the largest known has 33 MB


class ModelSettings(SettingsTable):
    """[model]: the language model that writes the pairs and is tuned on them."""

    name: str = Field(
        DEFAULT,
        description="Hub name, or a local folder in Hugging Face layout; for Greek also "
        "ilsp/Llama-Krikri-8B-Instruct, Maistros-8B-Instruct, Ministral-3-8B or Qwen/Qwen3-8B: "
        "docs/generating.md has licences and memory, `kkoracle work --probe` compares",
    )
    bits: int = Field(4, description="quantisation of a converted Hub model: 4, 8, or 0 for none")


def is_hub_name(name: str) -> bool:
    """True for `maker/model`, False for the path of a folder."""
    return not name.startswith((".", "/", "~")) and name.count("/") == 1


def locate(settings: ModelSettings, models: Path, confirm: Callable[[str], bool]) -> Path:
    """The folder of the model, fetched and converted on first use.

    Args:
        models: the data directory's folder of converted models.
        confirm: asked once, with the size in words, before anything is downloaded.

    Raises:
        UserError: a folder that is no model, no network, not confirmed, a full disk.
    """
    folder = Path(settings.name).expanduser()
    if folder.exists():
        check_folder(folder)
        return folder.resolve()
    if not is_hub_name(settings.name):
        raise NotFound(
            f"no model folder at {settings.name}: give a folder, or a Hub name such as {DEFAULT}"
        )
    kept = converted_folder(settings, models)
    if kept.exists():
        check_folder(kept)
        return kept
    return _fetch(settings, kept, confirm)


def converted_folder(settings: ModelSettings, models: Path) -> Path:
    """Where the converted copy of a Hub model is kept."""
    suffix = f"-{settings.bits}bit" if settings.bits else ""
    return models / (settings.name.replace("/", "--") + suffix)


def read_config(folder: Path) -> dict[str, Any]:
    """What a model folder says of itself.

    Raises:
        ModelUnfit: its `config.json` is missing or cannot be read.
    """
    try:
        config: dict[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelUnfit(f"{folder / CONFIG} cannot be read: {error}") from None
    return config


def language_part(config: dict[str, Any]) -> dict[str, Any]:
    """The part of a config that is about language; a model that also reads images has several."""
    for name in LANGUAGE_PARTS:
        if isinstance(config.get(name), dict):
            return language_part(config[name])
    return config


def context_length(config: dict[str, Any]) -> int:
    """The longest text a model was made for, in tokens; 0 when its config does not say."""
    part = language_part(config)
    return next((int(found) for name in CONTEXT_NAMES if (found := part.get(name))), 0)


def older_names(config: dict[str, Any]) -> dict[str, Any]:
    """What transformers 5 writes under `rope_parameters`, under the names that mlx-lm reads too.

    A loader that looks for `rope_theta` and finds none takes its own default, and the model babbles
    without an error. What a config says itself stays.

    Returns:
        The fields to put beside those of the config; {} when none is missing.
    """
    for name in LANGUAGE_PARTS:
        if isinstance(config.get(name), dict):
            inner = older_names(config[name])
            return {name: {**config[name], **inner}} if inner else {}
    told = config.get("rope_parameters")
    if not isinstance(told, dict):
        return {}
    # By sort of layer, where a model has more than one (Gemma 3).
    local = told.get("sliding_attention")
    told = told.get("full_attention", told)
    found = {name: told.get(name) for name in ("rope_theta", "partial_rotary_factor")}
    if told.get("rope_type", "default") != "default":
        found["rope_scaling"] = told
    if isinstance(local, dict):
        found["rope_local_base_freq"] = local.get("rope_theta")
    return {
        name: value
        for name, value in found.items()
        if value is not None and config.get(name) is None
    }


def check_folder(folder: Path) -> None:
    """Refuse a folder that mlx-lm could not load, with the missing piece named.

    Raises:
        UserError: no config, no weights, no tokenizer, or code of its own.
    """
    if not (folder / CONFIG).is_file():
        raise ModelUnfit(f"{folder} is no model folder: {CONFIG} is missing")
    if not any(folder.glob("model*.safetensors")):
        raise ModelUnfit(
            f"{folder} holds no weights (model*.safetensors): copy the whole model folder"
        )
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES[:2]):
        raise ModelUnfit(
            f"{folder} has no tokenizer (tokenizer.json or tokenizer.model): copy it from the "
            "model's page into this folder"
        )


def check_tokenizer(folder: Path) -> None:
    """Refuse a tokenizer with more added tokens than any model has.

    Each is looked for in every text: a million of them take minutes and gigabytes before the first
    word.

    Raises:
        ModelUnfit: there are too many, or a file of it is no JSON object or too large.
    """
    for name in _TOKENIZER_JSON:
        path = folder / name
        try:
            if not path.is_file():
                continue
            if path.stat().st_size > MAX_TOKENIZER_BYTES:
                raise ValueError(f"it is larger than {format_bytes(MAX_TOKENIZER_BYTES)}")
            told = orjson.loads(path.read_bytes())
            count = max([len(told)] if name == ADDED else [len(told.get(k) or ()) for k in _MANY])
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise ModelUnfit(f"{path} cannot be read: {error}") from None
        if count > MAX_ADDED_TOKENS:
            raise ModelUnfit(
                f"{path} adds {count:,} tokens to the vocabulary, more than any known model "
                f"(at most {MAX_ADDED_TOKENS:,}): it is damaged or made to hang its readers"
            )


def _fetch(settings: ModelSettings, kept: Path, confirm: Callable[[str], bool]) -> Path:
    try:
        import mlx_lm  # noqa: F401  # asked for before the download, not after
        from huggingface_hub import HfApi
    except ImportError:
        raise MissingExtra(
            f"this needs mlx-lm: {install_command('mlx')} (or name a local model folder)"
        ) from None
    try:
        info = HfApi().model_info(settings.name, files_metadata=True)
    except Exception as error:  # the Hub's client raises many kinds; all mean the same here
        raise Unreachable(
            f"cannot reach {settings.name} on the Hub ({type(error).__name__}): check the name "
            "and the network, or set [model] name to a local folder"
        ) from None
    size = sum(file.size or 0 for file in info.siblings or [])
    share = settings.bits / 16 if settings.bits else 1.0
    after = size * share * 1.1
    kept.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(kept.parent).free
    if free < size + after + SPARE_BYTES:
        raise DiskFull(
            f"{settings.name} needs {format_bytes(size + after)} while it is converted and "
            f"{format_bytes(free)} are free: make room, then run this again"
        )
    if not confirm(
        f"Download {settings.name} ({format_bytes(size)}) and keep it as {format_bytes(after)} "
        f"in {kept}?"
    ):
        raise NotAllowed("no model, nothing to do: name another one in [model]")
    convert(settings.name, kept, settings.bits)
    return kept


def convert(source: str, kept: Path, bits: int) -> None:
    """Make an MLX copy of a model, quantised unless `bits` is 0; `kept` is whole or not there.

    Args:
        source: Hub name or local folder; what was downloaded stays in the Hub's own cache.

    Raises:
        UserError: the download broke off, the disk is full, or mlx-lm cannot read the model.
    """
    from mlx_lm import convert as make

    with atomic_folder(kept) as partial:
        partial.rmdir()  # mlx-lm wants to make it
        try:
            make(source, mlx_path=str(partial), quantize=bool(bits), q_bits=bits or None)
        except Exception as error:  # of the Hub, the network, the disk or the model
            raise Unreachable(
                f"{source} could not be fetched and converted ({type(error).__name__}: {error}): "
                "run this again, what was downloaded is kept"
            ) from None
        check_folder(partial)
        config = read_config(partial)
        if missing := older_names(config):  # for mlx-lm's own commands, which read this copy too
            (partial / CONFIG).write_text(json.dumps({**config, **missing}, indent=4), "utf-8")
