"""Formats with columns: AutoTrain's CSV and Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from exchange.errors import MissingExtra
from trainer.dataset.formats.jsonl import chat
from trainer.dataset.rows import DatasetRow, Manifest, SplitRows


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
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer)
    writer.writerow(("text", "system", "prompt", "completion", "id"))
    for row in rows:
        said = f"{row.system}\n" if row.system else ""
        text = f"{said}human: {row.question}\nbot: {row.answer}"
        writer.writerow((text, row.system, row.question, row.answer, row.id))
        yield buffer.getvalue().encode("utf-8")
        buffer.seek(0)
        buffer.truncate()


def _parquet(rows: Sequence[DatasetRow]) -> Iterator[bytes]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra("parquet needs pyarrow: run `pip install 'kkoracle[parquet]'`") from None
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
