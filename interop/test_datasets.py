"""The dataset's files, read by Hugging Face datasets, and theirs read by us."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from tests.conftest import tiny_model
from tests.trainer.conftest import Desk, built, desk
from trainer.scorer.files import read_items

__all__ = ["built", "desk", "tiny_model"]


def test_load_dataset_reads_every_split_with_all_its_rows(built: Desk, tmp_path: Path) -> None:
    names = ("train", "valid", "test_unseen", "test_general")
    files = {name: built.dataset / f"{name}.jsonl" for name in names}
    loaded = load_dataset(
        "json",
        data_files={name: str(path) for name, path in files.items()},
        cache_dir=str(tmp_path / "cache"),
    )
    for name, path in files.items():
        rows = path.read_text("utf-8").splitlines()
        assert loaded[name].num_rows == len(rows) > 0
        assert [turn["role"] for turn in loaded[name][0]["messages"]] == ["user", "assistant"]


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_a_class_of_a_published_set_is_its_name_and_not_its_number(
    tmp_path: Path, kind: str
) -> None:
    label = {"names": ["correct", "incorrect"], "_type": "ClassLabel"}
    about = {"info": {"features": {"label": label}}}
    columns = {"question": ["Why?"] * 2, "student_answer": ["So.", "No."], "label": [0, 1]}
    table = pa.table(columns).replace_schema_metadata({b"huggingface": json.dumps(about).encode()})
    path = tmp_path / "train" / f"data.{kind}"
    path.parent.mkdir()
    if kind == "parquet":
        pq.write_table(table, path)
    else:
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
    assert [item.score for item in read_items([tmp_path]).items] == [1, 0]
