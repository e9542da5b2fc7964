"""Files for trainers in the cloud; their documented rules, checked before anything is sent."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import orjson

from trainer.dataset.formats import jsonl
from trainer.dataset.manifest import Manifest
from trainer.dataset.rows import Row
from trainer.dataset.split import Split

Rows = Mapping[Split, Sequence[Row]]
FEWEST = 10  # examples; both services refuse fewer
LARGEST = 512 * 2**20  # bytes of one file, of both services


def openai(rows: Rows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """JSONL of `messages` in UTF-8: training and validation file."""
    files = jsonl.messages(rows, manifest)
    return {
        f"{name}.jsonl": files[f"{name}.jsonl"]
        for name in ("train", "valid")
        if f"{name}.jsonl" in files
    }


def azure(rows: Rows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """The same, beginning with a byte-order mark, which Azure asks for."""
    return {
        name: chain((codecs.BOM_UTF8,), pieces) for name, pieces in openai(rows, manifest).items()
    }


def too_few(rows: Rows) -> str:
    """What these services would refuse, "" when nothing."""
    for name in ("train", "valid"):
        found = rows.get(name, ())
        if name == "train" and len(found) < FEWEST:
            return f"{len(found)} examples in train, and {FEWEST} are the least that is accepted"
        size = sum(len(orjson.dumps(jsonl.chat(row))) + 1 for row in found)
        if size > LARGEST:
            return f"{name} has {size / 2**20:.0f} MB, and {LARGEST // 2**20} MB are the most"
    return ""
