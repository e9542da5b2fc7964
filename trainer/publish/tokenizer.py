"""The tokenizer's files for a published model: the base's own, with the template it was asked by.

They are copied, not written anew by the installed transformers, whose newer files older readers
refuse. Two things are completed: BOS in the chat template, where the base's forgets it, and
`tokenizer.model` for llama.cpp (see `vocabulary`).
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from exchange.inference import runtime
from trainer.publish import sentencepiece_model

FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
)
CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
_GENERIC = "PreTrainedTokenizerFast"  # what every transformers knows


def copy_tokenizer(base: Path, folder: Path) -> None:
    """Put the tokenizer of a base model's folder into another folder.

    Raises:
        UserError: the tokenizer cannot be read.
    """
    for name in FILES:
        if (base / name).exists():
            shutil.copy(base / name, folder)
    loaded = runtime.tokenizer(base)
    if not (folder / "tokenizer.json").exists():
        loaded.save_pretrained(str(folder))
    _configure(folder, loaded.chat_template)
    if not (folder / "tokenizer.model").exists():
        raw = json.loads((folder / "tokenizer.json").read_text("utf-8"))
        rebuilt = sentencepiece_model.rebuild_model(raw)
        if rebuilt:
            (folder / "tokenizer.model").write_bytes(rebuilt)


def _configure(folder: Path, template: Any) -> None:
    """Write the template where old and new readers look, and a class that all of them know."""
    path = folder / CONFIG
    config = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if config.get("tokenizer_class") in (None, "TokenizersBackend"):
        config["tokenizer_class"] = _GENERIC
    if isinstance(config.get("extra_special_tokens"), list):  # transformers 4 wants names for them
        config["additional_special_tokens"] = config.pop("extra_special_tokens")
    if isinstance(template, str):
        config["chat_template"] = template
        (folder / TEMPLATE).write_text(template, "utf-8")
    path.write_text(json.dumps(config, ensure_ascii=False, indent=1) + "\n", "utf-8")
