"""Files of weights that are damaged or made to harm: one line, before MLX reads them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exchange.errors import BadFile, ModelUnfit
from exchange.inference import models, runtime
from exchange.inference.mlx.base_and_adapter import load_models
from exchange.inference.weights import read_header
from tests.conftest import run_cli

PLAIN = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def write(path: Path, header: object, data: bytes = b"\0" * 8) -> Path:
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_a_sound_file_tells_its_tensors_and_where_they_begin(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.safetensors",
        {
            "__metadata__": {"k": "v"},
            "a": PLAIN,
            "none": {**PLAIN, "shape": [0, 3], "data_offsets": [8, 8]},
        },
    )
    header, first = read_header(path)
    assert set(header) == {"__metadata__", "a", "none"}
    assert first == path.stat().st_size - 8


@pytest.mark.parametrize(
    ("header", "data", "why"),
    [
        ({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, b"\0" * 12, "overlaps"),
        ({"a": tensor(0, 8, [2]), "b": tensor(12, 20, [2])}, b"\0" * 20, "gap"),
        ({"a": tensor(0, 80, [20])}, b"\0" * 8, "as long as the file"),
        ({"a": tensor(0, 8, [2])}, b"\0" * 80, "as long as the file"),
        ({"a": tensor(0, 0, [1 << 62, 4])}, b"", "size of its shape"),
        ({"a": tensor(0, 8, [-2])}, b"\0" * 8, "no sound shape"),
        ({"a": tensor(-8, 0, [2])}, b"", "overlaps"),
        ({"a": tensor(0, 8, [2], "F31")}, b"\0" * 8, "F31"),
        ({"a": {**PLAIN, "shape": [2.0]}}, b"\0" * 8, "no sound shape"),
        ({"a": {"dtype": "F32"}}, b"", "data_offsets"),
        ({"a": 7}, b"", "sound"),
        ([], b"", "sound"),
        (b'{"a":' + b"[" * 100_000, b"", "sound"),
        (b"\xff", b"", "sound"),
    ],
)
def test_a_header_that_lies_is_refused(
    tmp_path: Path, header: object, data: bytes, why: str
) -> None:
    with pytest.raises(BadFile, match=why):
        read_header(write(tmp_path / "a.safetensors", header, data))


@pytest.mark.parametrize("length", [10**9, 1 << 62, 99])
def test_a_header_of_a_gigabyte_is_not_read(tmp_path: Path, length: int) -> None:
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.write(length.to_bytes(8, "little"))
        if length == 10**9:
            file.truncate(length + 16)  # it is all there, as holes
    with pytest.raises(BadFile, match="header is longer"):
        read_header(path)


def test_model_and_adapter_are_looked_at_before_mlx_reads_them(
    tiny_model: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    write(adapter / "adapters.safetensors", {"a": PLAIN, "b": PLAIN})
    with pytest.raises(BadFile, match=r"adapters\.safetensors.*overlaps"):
        load_models(folder, adapter)
    write(folder / "model.safetensors", {"a": PLAIN, "b": PLAIN})
    with pytest.raises(BadFile, match=r"model\.safetensors.*overlaps"):
        runtime.load(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "added_tokens.json", "tokenizer_config.json"])
def test_a_tokenizer_with_a_million_special_tokens_is_one_line(
    tiny_model: Path, tmp_path: Path, name: str
) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    path = folder / name
    told = json.loads(path.read_text("utf-8")) if path.exists() else {}
    count = 1_000_000 if name == "tokenizer.json" else 30_000
    marks = [f"<|{number}|>" for number in range(count)]
    if name == "tokenizer.json":
        told["added_tokens"] = [
            {"id": n, "content": m, "special": True} for n, m in enumerate(marks)
        ]
    elif name == "added_tokens.json":
        told = {mark: number for number, mark in enumerate(marks)}
    else:
        told["additional_special_tokens"] = marks
    path.write_text(json.dumps(told))
    for read in (runtime.load, runtime.tokenizer):
        with pytest.raises(ModelUnfit, match=f"adds {count:,} tokens"):
            read(folder)
    path.write_text("[" * 100_000)
    with pytest.raises(ModelUnfit, match="cannot be read"):
        models.check_tokenizer(folder)


def test_a_person_is_told_in_one_line(tiny_model: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    write(folder / "model.safetensors", {"a": PLAIN, "b": PLAIN})
    (tmp_path / "kkoracle.toml").write_text(f'archive = "paper"\n[model]\nname = "{folder}"\n')
    said = run_cli("chat", "--way", "base", cwd=tmp_path)
    assert said.returncode == 1 and len(said.stderr.splitlines()) == 1
    assert "model.safetensors" in said.stderr and "overlaps" in said.stderr
