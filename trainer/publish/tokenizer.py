"""The tokenizer's files for a published model: the base's own, with the template it was asked by.

They are copied, not written anew by the installed transformers, whose newer files older readers
refuse. Two things are completed: BOS in the chat template, where the base's forgets it, and
`tokenizer.model` for llama.cpp, made from `tokenizer.json` where only that is left.

A SentencePiece tokenizer joins the pair whose joined piece has the highest score. transformers
keeps the same knowledge as an ordered list of merges in `tokenizer.json` and no longer writes the
scores anywhere; llama.cpp's converter, finding none, gives every piece the same score, and the
GGUF then cuts words at random. So the scores are written back: the earlier a merge, the higher.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from exchange.inference import runtime

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
        rebuilt = rebuild_model(raw)
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


BLANK = "▁"
_UNKNOWN = "<unk>"  # its usual name, where a tokenizer with bytes for everything gives none
_BYTES = frozenset(f"<0x{value:02X}>" for value in range(256))


def rebuild_model(raw: dict[str, Any]) -> bytes | None:
    """A SentencePiece model with the pieces and merges of a `tokenizer.json`.

    Returns:
        None for tokenizers that are not of this kind; llama.cpp reads those from their merges.
    """
    model = raw.get("model") or {}
    if model.get("type") != "BPE" or not model.get("byte_fallback") or not _blanks(raw):
        return None
    proto = import_module("sentencepiece.sentencepiece_model_pb2")  # made by protobuf: no types
    kinds = proto.ModelProto.SentencePiece
    names: dict[int, str] = {number: piece for piece, number in model["vocab"].items()}
    special: dict[int, bool] = {}
    for token in raw.get("added_tokens", ()):
        names[token["id"]] = token["content"]
        special[token["id"]] = bool(token.get("special"))
    unknown = model.get("unk_token") or _UNKNOWN
    if (
        unknown not in names.values()
        or sorted(names) != list(range(len(names)))
        or len(set(names.values())) != len(names)
    ):
        return None  # SentencePiece numbers its pieces without gaps, each once
    ranks = _ranks(model.get("merges", ()))
    made = proto.ModelProto()
    for number in range(len(names)):
        piece = names[number]
        # Pieces that no merge makes are never chosen by their score; below all others, in order.
        score, kind = -float(ranks.get(piece, len(ranks) + number)), kinds.NORMAL
        if piece == unknown:
            score, kind = 0.0, kinds.UNKNOWN
        elif piece in _BYTES:
            score, kind = 0.0, kinds.BYTE
        elif number in special:
            score, kind = 0.0, kinds.CONTROL if special[number] else kinds.USER_DEFINED
        made.pieces.add(piece=piece, score=score, type=kind)
    _configure_model(made, names, unknown, prefix=_prefixes(raw))
    return bytes(made.SerializeToString())


def tokenization_agreement(model: bytes, tokenizer: Any, texts: Sequence[str]) -> float:
    """The share of texts that `tokenizer.model` and the tokenizer itself cut into equal tokens."""
    from sentencepiece import SentencePieceProcessor

    pieces = SentencePieceProcessor(model_proto=model)
    equal = sum(
        list(pieces.EncodeAsIds(text)) == list(tokenizer.encode(text, add_special_tokens=False))
        for text in texts
    )
    return equal / len(texts) if texts else 1.0


def _ranks(merges: Sequence[Any]) -> dict[str, int]:
    """For every piece the number of the first merge that makes it."""
    ranks: dict[str, int] = {}
    for number, merge in enumerate(merges):
        # Older files write a merge as one text, newer ones as a pair.
        left, right = merge.split(" ", 1) if isinstance(merge, str) else merge
        ranks.setdefault(left + right, number)
    return ranks


def _blanks(raw: dict[str, Any]) -> bool:
    """True when the tokenizer writes blanks as SentencePiece does."""
    return any(
        part.get("type") == "Metaspace"
        or (part.get("type") == "Replace" and part.get("content") == BLANK)
        for part in _parts(raw.get("normalizer")) + _parts(raw.get("pre_tokenizer"))
    )


def _prefixes(raw: dict[str, Any]) -> bool:
    """True when a blank is put before every text."""
    return any(
        (part.get("type") == "Prepend" and part.get("prepend") == BLANK)
        or part.get("add_prefix_space")
        or part.get("prepend_scheme") in ("always", "first")
        for part in _parts(raw.get("normalizer")) + _parts(raw.get("pre_tokenizer"))
    )


def _parts(stage: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not stage:
        return []
    return [*stage.get("normalizers", ()), *stage.get("pretokenizers", ()), stage]


def _configure_model(made: Any, names: dict[int, str], unknown: str, *, prefix: bool) -> None:
    numbers = {piece: number for number, piece in names.items()}
    trainer = made.trainer_spec
    trainer.model_type = trainer.BPE
    trainer.vocab_size = len(names)
    trainer.byte_fallback = True
    trainer.unk_piece, trainer.unk_id = unknown, numbers[unknown]
    for name, piece in (("bos", "<s>"), ("eos", "</s>"), ("pad", "<pad>")):
        setattr(trainer, f"{name}_piece", piece)
        setattr(trainer, f"{name}_id", numbers.get(piece, -1))
    normalizer = made.normalizer_spec
    normalizer.name = "identity"
    normalizer.add_dummy_prefix = prefix
    normalizer.remove_extra_whitespaces = False
    normalizer.escape_whitespaces = True
