"""Formats of one JSON object a line (and Alpaca's one list)."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import orjson

from exchange.display import format_bytes
from exchange.errors import MissingExtra
from exchange.machine import install_command
from exchange.text.controls import csv_lines
from trainer.dataset.rows import DatasetRow, Manifest, SplitRows


def mlx_chat(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """mlx-lm's ChatDataset: `messages`; it knows three files by name."""
    return _three(rows, chat)


def mlx_completions(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """mlx-lm's CompletionsDataset: `prompt` and `completion`; it applies the chat template."""
    return _three(rows, completion)


def messages(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """One file of `messages` a split."""
    return {f"{split}.jsonl": _lines(some, chat) for split, some in rows.items()}


def sharegpt(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """`conversations` of turns with `from` and `value`."""
    return {f"{split}.jsonl": _lines(some, conversation) for split, some in rows.items()}


def alpaca(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """A list of `instruction`, `input`, `output` a split, as Stanford's file was."""
    return {
        f"{split}.json": (orjson.dumps([instruction(row) for row in some]),)
        for split, some in rows.items()
    }


def chat(row: DatasetRow) -> dict[str, Any]:
    """The conversation, nothing else."""
    return {"messages": row.turns()}


def completion(row: DatasetRow) -> dict[str, Any]:
    """The question as prompt; a system text stands before it, for there is no place of its own."""
    prompt = f"{row.system}\n\n{row.question}" if row.system else row.question
    return {"prompt": prompt, "completion": row.answer}


def conversation(row: DatasetRow) -> dict[str, Any]:
    """ShareGPT's names for the same turns."""
    names = {"system": "system", "user": "human", "assistant": "gpt"}
    return {
        "conversations": [
            {"from": names[turn["role"]], "value": turn["content"]} for turn in row.turns()
        ]
    }


def instruction(row: DatasetRow) -> dict[str, Any]:
    """Alpaca's fields; `system` only where there is one."""
    fields = {"instruction": row.question, "input": "", "output": row.answer}
    return {**fields, "system": row.system} if row.system else fields


def _three(
    rows: SplitRows, shape: Callable[[DatasetRow], dict[str, Any]]
) -> dict[str, Iterable[bytes]]:
    test = rows.get("test_unseen") or rows.get("test") or ()
    named = {"train": rows.get("train", ()), "valid": rows.get("valid", ()), "test": test}
    return {f"{name}.jsonl": _lines(some, shape) for name, some in named.items()}


def _lines(
    rows: Sequence[DatasetRow], shape: Callable[[DatasetRow], dict[str, Any]]
) -> Iterator[bytes]:
    for row in rows:
        yield orjson.dumps(shape(row), option=orjson.OPT_APPEND_NEWLINE)


# Files for trainers in the cloud; their documented rules, checked before anything is sent.

MIN_HOSTED_EXAMPLES = 10  # examples; both services refuse fewer
MAX_HOSTED_BYTES = 512 * 2**20  # bytes of one file, of both services


def openai(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """JSONL of `messages` in UTF-8: training and validation file."""
    files = messages(rows, manifest)
    return {
        f"{name}.jsonl": files[f"{name}.jsonl"]
        for name in ("train", "valid")
        if f"{name}.jsonl" in files
    }


def azure(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """The same, beginning with a byte-order mark, which Azure asks for."""
    return {
        name: chain((codecs.BOM_UTF8,), pieces) for name, pieces in openai(rows, manifest).items()
    }


def hosted_limits_error(rows: SplitRows) -> str:
    """What these services would refuse, "" when nothing."""
    for name in ("train", "valid"):
        found = rows.get(name, ())
        if name == "train" and len(found) < MIN_HOSTED_EXAMPLES:
            return (
                f"{len(found)} examples in train, and {MIN_HOSTED_EXAMPLES} are the least that is "
                "accepted"
            )
        size = sum(len(orjson.dumps(chat(row))) + 1 for row in found)
        if size > MAX_HOSTED_BYTES:
            return (
                f"{name} has {format_bytes(size)}, and {format_bytes(MAX_HOSTED_BYTES)} are the "
                "most"
            )
    return ""


# Formats with columns: AutoTrain's CSV and Parquet.


def autotrain(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """One CSV a split with the `text` column that AutoTrain's SFT wants, and the parts of it."""
    return {f"{split}.csv": _csv(some) for split, some in rows.items()}


def parquet(rows: SplitRows, manifest: Manifest) -> dict[str, Iterable[bytes]]:
    """One Parquet file a split: the conversation and where it came from.

    Raises:
        UserError: pyarrow is not installed.
    """
    return {f"data/{split}.parquet": _parquet(some) for split, some in rows.items()}


def _csv(rows: Sequence[DatasetRow]) -> Iterator[bytes]:
    above = [("text", "system", "prompt", "completion", "id")]
    for row in rows:
        said = f"{row.system}\n" if row.system else ""
        text = f"{said}human: {row.question}\nbot: {row.answer}"
        cells = (text, row.system, row.question, row.answer, row.id)
        yield csv_lines([*above, cells]).encode("utf-8")
        above = []


def _parquet(rows: Sequence[DatasetRow]) -> Iterator[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra(f"parquet needs pyarrow: {install_command('parquet')}") from None
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    schema = pa.schema(
        [
            ("messages", pa.list_(turn)),
            ("id", pa.string()),
            ("kind", pa.string()),
            ("story", pa.string()),
            ("cluster", pa.string()),
            ("url", pa.string()),
            ("published", pa.string()),
            ("section", pa.string()),
            ("model", pa.string()),
            ("prompt_sha", pa.string()),
            ("rephrase_of", pa.string()),
        ]
    )
    records = [
        {
            **chat(row),
            "id": row.id,
            "kind": row.kind,
            "story": row.story,
            "cluster": row.cluster,
            "url": row.origin.url,
            "published": row.origin.published,
            "section": row.origin.section,
            "model": row.made.model,
            "prompt_sha": row.made.prompt_sha,
            "rephrase_of": row.rephrase_of,
        }
        for row in rows
    ]
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(records, schema=schema), sink, compression="zstd")
    yield sink.getvalue().to_pybytes()
