"""What other trainers read. Those that can run are run in `interop`; here their written rules."""

from __future__ import annotations

import codecs
import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from exchange.errors import UserError
from tests.trainer.dataset.test_build import SETTINGS
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, build_dataset, read_split
from trainer.dataset.formats import FORMATS, cards, export, jsonl
from trainer.dataset.rows import Manifest

SYSTEM = "Είσαι το αρχείο της «Φωνής»."


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("formats")
    fill(folder, 120, rephrased=60)
    build_dataset(folder, SETTINGS, DatasetRequest(system=SYSTEM))
    return folder / "dataset"


def lines(path: Path, encoding: str = "utf-8") -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding).splitlines()]


def test_openai_and_azure_rules_hold(dataset: Path, tmp_path: Path) -> None:
    """Documented by both: JSONL of `messages`, roles system, user, assistant, the last one the
    assistant's; at least 10 examples; at most 512 MB. Azure: UTF-8 with a byte-order mark.
    """
    for name, encoding in (("openai", "utf-8"), ("azure", "utf-8-sig")):
        export(dataset, name, tmp_path / name)
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
            "train.jsonl",
            "valid.jsonl",
        ]
        for path in (tmp_path / name).iterdir():
            raw = path.read_bytes()
            assert raw.startswith(codecs.BOM_UTF8) == (name == "azure")
            assert raw.count(codecs.BOM_UTF8) == (name == "azure")
            assert b"\r" not in raw and len(raw) < 512 * 2**20
            rows = lines(path, encoding)
            assert len(rows) >= 10
            for row in rows:
                assert list(row) == ["messages"]
                assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
                assert all(set(turn) == {"role", "content"} for turn in row["messages"])
                assert all(turn["content"].strip() for turn in row["messages"])


def test_too_few_or_too_much_for_a_hosted_trainer_is_said_before_sending(
    dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_split(dataset, "train")
    assert "9 examples in train, and 10 are the least" in jsonl.hosted_limits_error(
        {"train": rows[:9]}
    )
    assert jsonl.hosted_limits_error({"train": rows}) == ""
    monkeypatch.setattr(jsonl, "MAX_HOSTED_BYTES", 1000)
    assert "1 kB are the most" in jsonl.hosted_limits_error({"train": rows})


def test_sharegpt_and_alpaca_have_their_names(dataset: Path, tmp_path: Path) -> None:
    """Axolotl's and LLaMA-Factory's documented fields."""
    export(dataset, "sharegpt", tmp_path / "s")
    first = lines(tmp_path / "s" / "train.jsonl")[0]["conversations"]
    assert [turn["from"] for turn in first] == ["system", "human", "gpt"]
    export(dataset, "alpaca", tmp_path / "a")
    rows = json.loads((tmp_path / "a" / "train.json").read_text("utf-8"))
    assert len(rows) == len(read_split(dataset, "train"))
    assert all(set(row) == {"instruction", "input", "output", "system"} for row in rows)


def test_autotrain_s_csv_has_a_text_column(dataset: Path, tmp_path: Path) -> None:
    """AutoTrain's documented rule for SFT: a CSV whose column `text` holds the whole example."""
    export(dataset, "autotrain", tmp_path)
    with (tmp_path / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train = read_split(dataset, "train")
    assert [row["id"] for row in rows] == [row.id for row in train]
    assert all(row["text"].endswith(row["completion"]) for row in rows)


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("-5", "-5"),
        ("+3,5 %", "+3,5 %"),
        ("Who? =", "Who? ="),
        ("", ""),
    ],
)
def test_a_csv_holds_no_formula(dataset: Path, cell: str, written: str) -> None:
    row = replace(read_split(dataset, "train")[0], question=cell, answer=cell)
    pieces = FORMATS["autotrain"].files({"train": [row]}, Manifest.read(dataset))["train.csv"]
    read = list(csv.DictReader(io.StringIO(b"".join(pieces).decode("utf-8"), newline="")))
    assert read[0]["prompt"] == read[0]["completion"] == written


def test_a_csv_survives_quotes_commas_and_lines(dataset: Path, tmp_path: Path) -> None:
    row = replace(read_split(dataset, "train")[0], answer='Είπε: "ναι",\nκαι έφυγε;')
    pieces = FORMATS["autotrain"].files({"train": [row]}, Manifest.read(dataset))["train.csv"]
    read = list(csv.DictReader(io.StringIO(b"".join(pieces).decode("utf-8"), newline="")))
    assert read[0]["completion"] == row.answer


def test_axolotl_s_snippet_is_yaml_that_names_our_files(dataset: Path, tmp_path: Path) -> None:
    """Axolotl's documented keys for a conversation file."""
    written = {path.name for path in export(dataset, "messages", tmp_path)}
    config = yaml.safe_load((tmp_path / "axolotl.yaml").read_text())
    assert config["datasets"][0]["type"] == "chat_template"
    assert config["datasets"][0]["field_messages"] == "messages"
    assert {config["datasets"][0]["path"], config["test_datasets"][0]["path"]} <= written


def test_unsloth_s_snippet_compiles_and_names_our_files(dataset: Path, tmp_path: Path) -> None:
    """Unsloth's documented calls; it needs a GPU even to be imported."""
    export(dataset, "messages", tmp_path)
    snippet = (tmp_path / "unsloth_sft.py").read_text()
    compile(snippet, "unsloth_sft.py", "exec")
    for name in ("train.jsonl", "valid.jsonl"):
        assert name in snippet and (tmp_path / name).exists()


def test_a_completion_keeps_the_system_text(dataset: Path) -> None:
    row = read_split(dataset, "train")[0]
    assert jsonl.completion(row)["prompt"] == f"{SYSTEM}\n\n{row.question}"


def test_the_card_says_whose_the_text_is_and_its_head_is_yaml(dataset: Path) -> None:
    manifest = Manifest.read(dataset)
    rows = {"train": read_split(dataset, "train"), "valid": read_split(dataset, "valid")}
    card = cards.card(rows, replace(manifest, archive="a`b\n# c"))  # type: ignore[arg-type]
    head = yaml.safe_load(card.split("---")[1])
    assert head["language"] == ["el"]
    assert [file["split"] for file in head["configs"][0]["data_files"]] == ["train", "valid"]
    assert "belong to the newspaper" in card and "# Questions and answers from `ab # c`" in card


def test_an_unknown_format_names_those_there_are(dataset: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no format 'word'; there are mlx"):
        export(dataset, "word", tmp_path)
