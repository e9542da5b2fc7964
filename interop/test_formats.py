"""Every export that has a reader which runs without a GPU, read by that reader."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest
from datasets import load_dataset, load_from_disk

from tests.trainer.dataset.test_build import SETTINGS, where
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, build_dataset, read_split
from trainer.dataset.formats import export

SYSTEM = "Είσαι το αρχείο της «Φωνής»."


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    fill(folder, 120, rephrased=60)
    build_dataset(folder, SETTINGS, DatasetRequest(system=SYSTEM))
    return folder / "dataset"


@pytest.mark.parametrize("form", ["messages", "sharegpt", "openai", "azure", "mlx-completions"])
def test_datasets_reads_every_jsonl(dataset: Path, form: str, tmp_path: Path) -> None:
    written = [path for path in export(dataset, form, tmp_path) if path.suffix == ".jsonl"]
    for path in written:
        loaded = load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"))
        assert loaded["train"].num_rows == path.read_bytes().count(b"\n") > 0


def test_mlx_lm_s_loader_reads_all_three_files(dataset: Path, tmp_path: Path) -> None:
    from mlx_lm.tuner.datasets import ChatDataset, CompletionsDataset, load_local_dataset

    class Config:
        mask_prompt = True

    for form, kind in (("mlx", ChatDataset), ("mlx-completions", CompletionsDataset)):
        export(dataset, form, tmp_path / form)
        train, valid, test = load_local_dataset(tmp_path / form, None, Config())
        assert isinstance(train, kind) and isinstance(test, kind)
        assert len(train) == len(read_split(dataset, "train"))
        assert len(valid) == len(read_split(dataset, "valid"))
        assert len(test) == len(read_split(dataset, "test_unseen"))


def test_pandas_reads_the_csv_and_alpaca_s_list(dataset: Path, tmp_path: Path) -> None:
    export(dataset, "autotrain", tmp_path)
    frame = pd.read_csv(tmp_path / "train.csv")
    rows = read_split(dataset, "train")
    assert list(frame["completion"]) == [row.answer for row in rows]
    assert frame["text"].str.startswith(SYSTEM).all()
    export(dataset, "alpaca", tmp_path)
    assert len(pd.read_json(tmp_path / "train.json")) == len(rows)


def test_the_hub_folder_loads_by_its_card_and_comes_back_as_rows(
    dataset: Path, tmp_path: Path
) -> None:
    export(dataset, "parquet", tmp_path / "hub")
    loaded = load_dataset(str(tmp_path / "hub"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == {"train", "valid", "test_recall", "test_unseen", "test_general"}
    assert loaded["train"].num_rows == len(read_split(dataset, "train"))
    loaded["train"].save_to_disk(str(tmp_path / "disk"))
    assert load_from_disk(str(tmp_path / "disk")).num_rows == loaded["train"].num_rows
    for number, folder in enumerate(
        (tmp_path / "hub" / "data" / "train.parquet", tmp_path / "disk")
    ):
        source = folder if folder.is_dir() else folder.parent
        if not folder.is_dir():
            for path in source.glob("*.parquet"):
                if path != folder:
                    path.unlink()
        built = build_dataset(tmp_path / f"again-{number}", SETTINGS, DatasetRequest(origin=source))
        assert not built.bad
        assert set(where(tmp_path / f"again-{number}")) == {
            row.id for row in read_split(dataset, "train")
        }


def test_trl_trains_two_steps_with_our_snippet(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snippet as it is written, on a tiny model on the CPU, stopped after two steps."""
    from tools.tiny_model import make_tiny_model

    rows = [row.question + row.answer for row in read_split(dataset, "train")]
    model = make_tiny_model(tmp_path / "model", rows)
    export(dataset, "messages", tmp_path)
    script = (tmp_path / "trl_sft.py").read_text()
    short = script.replace("num_train_epochs=3", "max_steps=2, use_cpu=True, report_to=[]")
    assert short != script
    (tmp_path / "short.py").write_text(short)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["short.py", str(model)])
    runpy.run_path("short.py")
    states = list((tmp_path / "out").rglob("trainer_state.json"))
    assert states and json.loads(states[0].read_text())["global_step"] == 2
    assert list((tmp_path / "out").rglob("adapter_model.safetensors"))
