"""Scored answers from files: every bad row costs only itself, and says where it stands and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from exchange.errors import UserError
from trainer.scorer.files import read_items
from trainer.scorer.items import ScoreScale, load_score_prompt, scale_of


def row(number: int, **other: object) -> dict[str, object]:
    return {
        "question": f"Πόσα πρόβατα είχε το κοπάδι {number};",
        "guide": f"Είχε {number}.",
        "answer": f"Ήταν {number}.",
        "score": number % 4,
        **other,
    }


def test_a_file_with_every_defect_is_read_without_them(tmp_path: Path) -> None:
    broken = {
        2: (b"never closed {", "not_json"),
        3: (b"[1, 2]", "not_object"),
        4: (json.dumps(row(4, question=" ")).encode(), "no_question"),
        5: (json.dumps(row(5, answer=None)).encode(), "no_answer"),
        6: (json.dumps(row(6, score=None)).encode(), "no_score"),
        7: (json.dumps(row(7, score="many")).encode(), "bad_score"),
        8: (b'{"question": "a;", "answer": "b", "score": NaN}', "not_json"),
        9: (json.dumps(row(9, score=-1)).encode(), "negative_score"),
        10: (json.dumps(row(10, score=4, maximum=3)).encode(), "score_above_maximum"),
        11: (json.dumps(row(11, maximum=0)).encode(), "bad_maximum"),
        12: (json.dumps(row(1)).encode(), "duplicate_id"),
        13: (b'{"question": "nul \\u0000", "answer": "b", "score": 1}', "nul"),
        14: (b'{"question": "a \\ud800", "answer": "b", "score": 1}', "surrogate"),
        15: (json.dumps(row(15, score=True)).encode(), "bad_score"),
    }
    path = tmp_path / "answers.jsonl"
    lines = [broken[n][0] if n in broken else json.dumps(row(n)).encode() for n in range(1, 21)]
    path.write_bytes(b"\n".join(lines))
    found = read_items([path])
    assert found.bad == [(f"answers.jsonl:{n}", reason) for n, (_, reason) in broken.items()]
    assert len(found.items) == 6


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_is_read_with_its_place_and_any_separator(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "answers.csv"
    lines = [
        ["Question", "Reference", "Response", "Grade", "Max"],
        ["Πότε;", "Το 1998.", "Το 1998, νομίζω;", "2,5" if delimiter == ";" else "2.5", "5"],
        ["Πού;", "Στην Πέτρα.", "Αλλού.", "x", "5"],
        ["Ποιος;", "Η Άννα.", "", "0", "5"],
    ]
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows(lines)
    found = read_items([path])
    assert found.bad == [("answers.csv:3", "bad_score")]
    assert [(item.question, item.answer, item.score) for item in found.items] == [
        ("Πότε;", "Το 1998, νομίζω;", 2.5),
        ("Ποιος;", "", 0.0),
    ]
    assert found.items[0].scale == ScoreScale(5, 9)  # halves of 5 are more than ten levels


def test_a_list_in_json_may_stand_under_a_key_and_its_guide_may_be_points(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    path.write_text(json.dumps({"answers": [row(1, guide=["πρώτο", "δεύτερο"]), 7]}), "utf-8")
    found = read_items([path])
    assert found.items[0].guide == "πρώτο\nδεύτερο"
    assert found.bad == [("answers.json[2]", "no_question")]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{", "is not JSON"),
        ("a.json", b"\xff", "not JSON in UTF-8"),
        ("a.json", b"3", "no list of rows"),
        ("a.csv", b"\xff\xfe", "not UTF-8"),
        ("a.csv", b"question,answer\n", "no usable row"),
        ("a.xml", b"<a/>", "known are"),
    ],
)
def test_a_file_of_another_kind_is_one_line(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=said):
        read_items([tmp_path / name])


def test_without_a_maximum_the_largest_score_is_taken_and_said(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(json.dumps(row(n)) for n in range(8)))
    found = read_items([path])
    assert found.assumed_maximum == 3
    assert {item.scale for item in found.items} == {ScoreScale(3, 3)}
    assert read_items([path], maximum=10).items[0].scale == ScoreScale(10, 9)


@pytest.mark.parametrize(
    ("maximum", "scores", "top"),
    [
        (5, [0, 5], 5),
        (9, [9], 9),
        (3, [0.5], 6),
        (4.5, [4.5], 9),
        (5, [0.5], 9),
        (10, [1], 9),
        (100, [37], 9),
        (1, [0.25], 9),
    ],
)
def test_at_most_ten_levels_and_no_score_is_merged_where_ten_suffice(
    maximum: float, scores: list[float], top: int
) -> None:
    scale = scale_of(maximum, scores)
    assert scale.top == top
    assert (scale.level(0), scale.level(maximum)) == (0, top)
    assert scale.score(top) == maximum
    if top < 9 or maximum in (9, 4.5):
        assert [scale.score(scale.level(score)) for score in scores] == scores


@pytest.mark.parametrize(("style", "sha"), [("full", "58b38279dab3"), ("brief", "a0dba3626f2c")])
def test_a_scorer_of_before_knows_its_prompt_by_the_hash_of_then(style: str, sha: str) -> None:
    prompt = load_score_prompt(style)
    assert prompt.is_of(sha) and prompt.is_of(prompt.sha) and not prompt.is_of("0" * 12)
