"""The dataset's files, read by Hugging Face datasets."""

from __future__ import annotations

from pathlib import Path

from datasets import load_dataset

from tests.conftest import tiny_model
from tests.trainer.conftest import Desk, built, desk

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
