"""Rows from elsewhere: every bad line costs only itself, and says where it stands and why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exchange.errors import UserError
from exchange.store.corpus import SpoolCorpus
from exchange.store.export import write_export
from tests.crawler.importing.test_records import spreadsheet
from tests.trainer.conftest import Desk
from tests.trainer.dataset.test_build import SETTINGS, files, where
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, build_dataset, import_rows, read_split, readers


def good(number: int) -> dict[str, str]:
    return {
        "question": f"Πόσα πρόβατα είχε το κοπάδι {number};",
        "answer": f"Είχε {number}.",
        "id": f"row-{number}",
        "story": f"story-{number // 2}",
    }


def test_a_file_with_every_defect_is_built_without_them(tmp_path: Path) -> None:
    broken = {
        3: (b'{"question": "\xce\xa4\xce\xb9;", "answer": "  "}', "empty_answer"),
        7: (b'{"question": "never closed', "not_json"),
        12: (json.dumps(good(0)).encode(), "duplicate_id"),
        15: (b'{"question": "a \\ud800 b;", "answer": "c"}', "surrogate"),
        18: (b'{"question": "a;", "answer": "nul \\u0000 inside"}', "nul"),
        21: (b'{"question": "' + b"x" * 5_000_000 + b'", "answer": "y"}', "too_long"),
        24: (b"[1, 2]", "not_object"),
        27: (b'{"something": "else"}', "unknown_shape"),
        30: (b"\xff\xfe\x00", "not_json"),
        33: (b'{"messages": [{"role": "user", "content": "a"}]}', "unknown_shape"),
    }
    path = tmp_path / "rows.jsonl"
    whole, number = [], 0
    for line in range(1, 121):
        if line in broken:
            whole.append(broken[line][0])
        else:
            whole.append(json.dumps(good(number), ensure_ascii=False).encode())
            number += 1
    path.write_bytes(b"\n".join(whole))
    built = build_dataset(tmp_path / "paper", SETTINGS, DatasetRequest(origin=path))
    assert built.bad == [(f"rows.jsonl:{line}", reason) for line, (_raw, reason) in broken.items()]
    assert len(where(tmp_path / "paper")) == number == 110
    assert built.manifest.left_out["not_json"] == 2


def test_siblings_of_one_story_stay_together_when_the_file_names_it(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(good(n), ensure_ascii=False) for n in range(100)))
    build_dataset(tmp_path / "paper", SETTINGS, DatasetRequest(origin=path))
    places = where(tmp_path / "paper")
    assert all(places[f"row-{n}"] == places[f"row-{n + 1}"] for n in range(0, 100, 2))


@pytest.mark.parametrize(
    "raw",
    [
        {
            "messages": [
                {"role": "system", "content": "S"},
                {"role": "user", "content": "Q;"},
                {"role": "assistant", "content": "A."},
            ]
        },
        {
            "conversations": [
                {"from": "system", "value": "S"},
                {"from": "human", "value": "Q;"},
                {"from": "gpt", "value": "A."},
            ]
        },
        {"instruction": "Q;", "input": "", "output": "A.", "system": "S"},
        {"prompt": "Q;", "completion": "A.", "system": "S"},
        {"question": "Q;", "answer": "A.", "system": "S"},
    ],
    ids=["messages", "sharegpt", "alpaca", "completion", "question"],
)
def test_every_shape_that_others_write_is_read(raw: dict[str, object]) -> None:
    row = import_rows.parse_row(json.dumps(raw).encode())
    assert (row.system, row.question, row.answer) == ("S", "Q;", "A.")


def test_a_conversation_of_several_turns_is_no_pair() -> None:
    turns = [{"role": role, "content": "x"} for role in ("user", "assistant", "user", "assistant")]
    with pytest.raises(readers.BadLine, match="several_turns"):
        import_rows.parse_row(json.dumps({"messages": turns}).encode())


def test_our_own_rows_come_back_whole(tmp_path: Path) -> None:
    fill(tmp_path / "paper", 40)
    build_dataset(tmp_path / "paper", SETTINGS)
    train = tmp_path / "paper" / "dataset" / "train.jsonl"
    build_dataset(tmp_path / "again", SETTINGS, DatasetRequest(origin=train))
    before = {row.id: row for row in read_split(train.parent, "train")}
    after = {
        row.id: row
        for split in ("train", "valid", "test_unseen")
        for row in read_split(tmp_path / "again" / "dataset", split)
    }
    assert after == before


def test_an_export_gives_the_same_bytes_as_the_spool(built: Desk, tmp_path: Path) -> None:
    said = built.cli("export", str(tmp_path / "out")).stdout
    assert "pairs.jsonl" in said
    before = files(built.dataset)
    for path in built.dataset.iterdir():
        path.unlink()
    built.cli("dataset", "build", "--from", str(tmp_path / "out"))
    assert files(built.dataset) == before


def test_a_damaged_or_half_written_export_is_one_line(built: Desk, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with SpoolCorpus(built.archive) as corpus:
        write_export(corpus, out)
    path = out / "pairs.jsonl"
    path.write_bytes(path.read_bytes()[:-10])
    line = built.refuses("dataset", "build", "--from", str(out))
    assert "pairs.jsonl is not the file that was exported" in line
    (out / "export.json").unlink()
    (out / "pairs.jsonl").unlink()
    for name in ("stories.jsonl", "chunks.jsonl", "chunk-stories.jsonl", "judgements.jsonl"):
        (out / name).unlink()
    assert "holds no file of a known kind" in built.refuses("dataset", "build", "--from", str(out))


def test_a_path_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        build_dataset(
            tmp_path / "paper", SETTINGS, DatasetRequest(origin=tmp_path / "nothing.jsonl")
        )


def test_dates_are_compared_with_the_cut_off_however_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    written = ("31/12/2015", "3 Μαΐου 2012", "2016-02-01T08:00:00Z", "1/3/2017")
    lines = [
        json.dumps(good(n) | {"published": written[n // 2 % 4]}, ensure_ascii=False)
        for n in range(160)
    ]
    path.write_text("\n".join(lines), "utf-8")
    asked = DatasetRequest(origin=path, as_of="2015-12-31")
    build_dataset(tmp_path / "paper", SETTINGS, asked)
    taught = {row.origin.published for row in read_split(tmp_path / "paper/dataset", "train")}
    assert taught == {"2015-12-31", "2012-05-03"}


def test_tables_without_ids_are_read_and_a_bad_line_is_named(tmp_path: Path) -> None:
    rows: list[list[str | int]] = [
        [f"Πόσα πρόβατα είχε το κοπάδι {number};", 1000 + number] for number in range(80)
    ]
    rows[4][1] = ""
    paths = [tmp_path / "rows.xlsx"]
    spreadsheet(paths[0], [["Ερώτηση", "Απάντηση"], *rows])
    for name, mark in (("rows.csv", ","), ("semicolons.csv", ";")):
        quoted = [[f'"{cell}"' for cell in row] for row in [["Question", "Answer"], *rows]]
        paths.append(tmp_path / name)
        paths[-1].write_text("\n".join(mark.join(row) for row in quoted), "utf-8")
    found = []
    for path in paths:
        archive = tmp_path / path.name.replace(".", "-")
        built = build_dataset(archive, SETTINGS, DatasetRequest(origin=path))
        assert built.bad == [(f"{path.name}:6", "empty_answer")]
        found.append(where(archive))
        assert len(found[-1]) == 79
    assert found[0] == found[1] == found[2]


def test_a_list_of_conversations_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"Πόσα πρόβατα είχε το κοπάδι {number};"},
                {"role": "assistant", "content": f"Είχε {number}."},
            ]
        }
        for number in range(80)
    ]
    path.write_text(json.dumps(rows), "utf-8")
    assert not build_dataset(tmp_path / "paper", SETTINGS, DatasetRequest(origin=path)).bad
    assert len(where(tmp_path / "paper")) == 80


def test_a_file_of_which_no_line_is_a_row_says_why(desk: Desk) -> None:
    path = desk.folder / "rows.csv"
    path.write_text("Name,Town\nAnna,Volos\nNikos,Arta\n", "utf-8")
    line = desk.refuses("dataset", "build", "--from", str(path))
    assert "no line of rows.csv can be taught: rows.csv:2 unknown_shape, and 1 more" in line
