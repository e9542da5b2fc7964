"""Scored answers from files: every bad row costs only itself, and says where it stands and why."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from exchange.errors import UserError
from tests.crawler.importing.test_records import spreadsheet
from trainer.dataset.readers import find_columns
from trainer.scorer.console import balance_lines, read_lines
from trainer.scorer.fields import ReadOptions, parse_columns, parse_item
from trainer.scorer.files import ItemReadResult, read_items
from trainer.scorer.items import ScoreScale, load_score_prompt, scale_of
from trainer.scorer.sample import write_sample


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
        12: (json.dumps(row(12, language="klingonisch")).encode(), "bad_language"),
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
    assert found.items[0].scale == ScoreScale(5, 2)  # the marks that were given are 0 and a half


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
        ("a.csv", b"\xe1\xe2", "not UTF-8"),
        ("a.xlsx", b"PK", "no spreadsheet"),
        ("a.csv", b"Essay,Grade\nx,1\n", "--columns answer=HEADING"),
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
    assert read_items([path], ReadOptions(10)).items[0].scale == ScoreScale(10, 10)


@pytest.mark.parametrize(
    ("maximum", "scores", "top"),
    [
        (5, [0, 1, 5], 5),
        (10, [3, 7], 10),
        (12, [5], 12),
        (20, [1, 20], 20),
        (20, [0, 10], 2),
        (5, [0.5, 2], 10),
        (10, [7.5], 4),
        (10, [7.5, 1], 20),
        (1, [0.25], 4),
        (1, [0, 1], 1),
        (100, [37], 100),
        (4.5, [], 9),
        (20, [], 20),
        (3, [1.001], 1000),
    ],
)
def test_the_step_is_what_all_scores_are_multiples_of(
    maximum: float, scores: list[float], top: int
) -> None:
    scale = scale_of(maximum, scores)
    assert scale.top == top
    assert (scale.level(0), scale.level(maximum)) == (0, top)
    assert scale.score(top) == maximum
    marks = [scale.score(scale.level(score)) for score in scores]
    assert marks == pytest.approx(scores, abs=maximum / 2000)


@pytest.mark.parametrize(("style", "sha"), [("full", "58b38279dab3"), ("brief", "a0dba3626f2c")])
def test_a_scorer_of_before_knows_its_prompt_by_the_hash_of_then(style: str, sha: str) -> None:
    prompt = load_score_prompt(style)
    assert prompt.is_of(sha) and prompt.is_of(prompt.sha) and not prompt.is_of("0" * 12)


def read(folder: Path, content: object, name: str = "a.json", **options: object) -> ItemReadResult:
    path = folder / name
    path.write_text(json.dumps(content, ensure_ascii=False), "utf-8")
    return read_items([path], ReadOptions(**options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headings", "fields"),
    [
        ("Question|Model answer|Student Answer|Grade/10", "question guide answer score"),
        ("Question 1|Right answer 1|Response 1|Mark", "question guide answer score"),
        ("question|answer|student_answer|score (0-5)", "question guide answer score"),
        (
            "Ερώτηση|Ενδεικτική απάντηση|Απάντηση|ΒΑΘΜΟΣ|Άριστα",
            "question guide answer score maximum",
        ),
        ("Frage|Musterlösung|Antwort|Punkte|max. Punkte", "question guide answer score maximum"),
        ("kérdés|javítókulcs|tanuló válasza|pontszám", "question guide answer score"),
        (
            "Question|Barème|Réponse de l'élève|Note|Note maximale",
            "question guide answer score maximum",
        ),
        ("Pregunta|Rúbrica|Respuesta|Puntuación", "question guide answer score"),
        ("вопрос|эталонный ответ|ответ|балл", "question guide answer score"),
        ("prompt|rubric|response|score|max_points", "question guide answer score maximum"),
        ("question|points|answer|score|split", "question maximum answer score split"),
    ],
)
def test_headings_of_many_kinds_and_languages_are_known(headings: str, fields: str) -> None:
    names = tuple(headings.split("|"))
    found = find_columns(names)
    assert {name: ours for ours, held in found.fields.items() for name in held} == dict(
        zip(names, fields.split(), strict=True)
    )
    assert found.unused == ()
    assert found.maximum == {"Grade/10": 10, "score (0-5)": 5}.get(names[3], 0)


def test_what_a_column_is_can_be_said_and_one_that_is_not_used_is_named(tmp_path: Path) -> None:
    rows = [{"Q": "Where?", "mine": "There.", "answer": "no", "n": 2, "teacher": "Eva"}]
    options = {"columns": parse_columns(["question=q", "answer=mine", "score=n"])}
    found = read(tmp_path, rows, **options)
    assert (found.items[0].answer, found.items[0].guide, found.items[0].score) == (
        "There.",
        "no",
        2,
    )
    assert found.unused == {"a.json": ["teacher"]}
    with pytest.raises(UserError, match="answer=HEADING"):
        parse_columns(["reply=mine"])


@pytest.mark.parametrize(
    ("guide", "text"),
    [
        ({"guide": "", "reference": "It rains."}, "It rains."),
        ({"rubric": {"2": "both", "1": "one of them"}}, "2: both\n1: one of them"),
        ({"rubric": ["rain", "wind"]}, "rain\nwind"),
        (
            {"rubric": [{"criterion": "rain", "points": 2}, {"criterion": "wind", "points": 1}]},
            "rain (2)\nwind (1)",
        ),
        ({"rubric": {"rain": {"full": "all year", "half": "in winter"}}}, None),
        ({"guide": "Say when.", "reference_answer": "In May."}, "Say when.\nIn May."),
    ],
)
def test_a_guide_may_be_a_list_an_object_or_a_reference(
    tmp_path: Path, guide: dict[str, object], text: str | None
) -> None:
    (item,) = read(tmp_path, [{"question": "Why?", "answer": "So.", "score": 1, **guide}]).items
    assert (
        item.guide == text
        if text
        else {"rain", "all year", "in winter"}
        <= {word for line in item.guide.splitlines() for word in line.rstrip(":").split(": ")}
    )


@pytest.mark.parametrize(
    ("written", "score", "maximum"),
    [
        ({"score": "2/5"}, 2, 5),
        ({"score": "2,5 / 5"}, 2.5, 5),
        ({"score": "50 %"}, 50, 100),
        ({"score": "50%", "maximum": 4}, 2, 4),
        ({"score": "3 points", "max_points": "4"}, 3, 4),
        ({"score": "3 μονάδες", "max_score": "0-4"}, 3, 4),
        ({"label": "correct"}, 1, 1),
        ({"label": "λάθος", "maximum": 2}, 0, 2),
        ({"label": "Partially correct", "maximum": 2}, 1, 2),
        ({"label": "partially_correct_incomplete"}, 0.5, 1),
        ({"grade": 3.0, "out_of": "5"}, 3, 5),
    ],
)
def test_marks_are_read_as_they_are_written(
    written: dict[str, object], score: float, maximum: float
) -> None:
    item = parse_item({"question": "Why?", "answer": 42, **written})
    assert (item.score, item.scale.maximum, item.answer) == (score, maximum, "42")


def test_a_mark_that_contradicts_its_maximum_is_refused(tmp_path: Path) -> None:
    rows = [row(1, score="2/5", maximum=10), row(2, score="120 %"), row(3, score="7/5"), row(4)]
    found = read(tmp_path, rows)
    assert [reason for _, reason in found.bad] == [
        "bad_maximum",
        "score_above_maximum",
        "score_above_maximum",
    ]


def test_rows_of_two_students_are_kept_and_ids_hold_for_their_file(tmp_path: Path) -> None:
    same = row(1)
    (tmp_path / "b.json").write_text(json.dumps([same, {**same, "id": "7"}]), "utf-8")
    (tmp_path / "a.json").write_text(
        json.dumps([same, same, {**same, "id": "7"}, {**same, "id": "7"}, {**row(2), "id": "7"}]),
        "utf-8",
    )
    found = read_items([tmp_path / "a.json", tmp_path / "b.json"])
    assert found.bad == [("a.json[4]", "duplicate_id")]
    ids = [item.id for item in found.items]
    assert len(ids) == len(set(ids)) == 6
    assert ids[2:4] == ["7", "7#2"] and ids[5] == "b:7"


LAYOUTS = {
    "parts": {"train": [row(1), row(2)], "validation": [row(3)], "test": [row(4)]},
    "viewer": {
        "train": {"rows": [{"row_idx": 0, "row": row(n)} for n in (1, 2)]},
        "validation": [row(3)],
        "test_unseen_questions": [row(4)],
    },
    "column": [row(1), row(2, split="train"), row(3, split="dev"), row(4, split="Test")],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_official_parts_are_kept(tmp_path: Path, layout: str) -> None:
    found = read(tmp_path, LAYOUTS[layout])
    assert [len(part) for part in (found.items, found.valid, found.test)] == [2, 1, 1]
    assert found.test[0].guide == "Είχε 4."


def test_a_folder_as_the_hub_has_it_is_read_by_its_parts(tmp_path: Path) -> None:
    for place, number in (("data/train-00000-of-00001", 1), ("data/test_ua-00000-of-00001", 2)):
        path = tmp_path / f"{place}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(row(number)), "utf-8")
    (tmp_path / "validation").mkdir()
    (tmp_path / "validation/a.json").write_text(json.dumps([row(3)]), "utf-8")
    (tmp_path / "dataset_info.json").write_text('{"features": {}}', "utf-8")
    found = read_items([tmp_path])
    assert [part[0].score for part in (found.items, found.test, found.valid)] == [1, 2, 3]
    assert found.bad == []
    again = read_items([tmp_path / "data/train-00000-of-00001.jsonl"], test=[tmp_path])
    assert [len(part) for part in (again.items, again.valid, again.test)] == [1, 0, 3]


@pytest.mark.parametrize(
    "content",
    [
        {
            "questions": [
                {
                    "id": "q",
                    "question": "Why?",
                    "guide": "So.",
                    "maximum": 2,
                    "answers": [
                        {"id": "a", "text": "Yes", "score": 1},
                        {"id": "b", "text": "No", "score": 2},
                    ],
                }
            ]
        },
        {
            "question": ["Why?", "Why?"],
            "guide": ["So.", "So."],
            "answer": ["Yes", "No"],
            "score": [1, 2],
            "maximum": [2, 2],
        },
        {
            "question": {"0": "Why?", "1": "Why?"},
            "answer": {"0": "Yes", "1": "No"},
            "guide": {"0": "So.", "1": "So."},
            "score": {"0": 1, "1": 2},
        },
        {
            "a": {"question": "Why?", "guide": "So.", "answer": "Yes", "score": 1},
            "b": {"question": "Why?", "guide": "So.", "answer": "No", "score": 2},
        },
        {
            "version": 1,
            "source": [],
            "rows": [
                {
                    "question": {"text": "Why?", "guide": "So."},
                    "answer": {"text": "Yes", "score": 1},
                },
                {
                    "question": {"text": "Why?", "guide": "So."},
                    "answer": {"text": "No", "score": 2},
                },
            ],
        },
        {
            "questions": [{"id": 7, "question": "Why?", "guide": "So."}],
            "answers": [
                {"question_id": "7", "answer": "Yes", "score": 1, "max": 2},
                {"question_id": "7", "answer": "No", "score": 2, "max": 2},
            ],
        },
    ],
)
def test_rows_are_found_in_json_of_other_layouts(tmp_path: Path, content: object) -> None:
    found = read(tmp_path, content)
    assert found.bad == []
    assert [(i.question, i.guide, i.answer, i.score) for i in found.items] == [
        ("Why?", "So.", "Yes", 1),
        ("Why?", "So.", "No", 2),
    ]
    assert {item.scale.maximum for item in found.items} == {2}


def test_a_spreadsheet_is_read_under_its_title(tmp_path: Path) -> None:
    path = tmp_path / "class.xlsx"
    head: list[str | int] = ["Question", "Answer", "Mark"]
    taught: list[list[str | int]] = [["Class 3b"], [], head, ["Why?", "So.", 2], ["Why?", 7, "1.5"]]
    spreadsheet(path, taught, [head, ["When?", "", 0]], titles=("train", "test"))
    found = read_items([path])
    assert [(item.answer, item.score) for item in found.items] == [("So.", 2), ("7", 1.5)]
    assert [(item.question, item.answer, item.score) for item in found.test] == [("When?", "", 0)]
    assert found.bad == []


@pytest.mark.parametrize(
    ("named", "text", "language"),
    [
        ("EL", "Γιατί;", "el"),
        ("en-US", "Γιατί;", "en"),
        ("Hungarian", "Miért?", "hu"),
        (None, "Γιατί βρέχει τόσο συχνά τον χειμώνα;", "el"),
        (None, "Why does it rain so often in the winter of the north?", "en"),
        (None, "Miért esik olyan gyakran az eső télen ezen a vidéken?", "hu"),
    ],
)
def test_the_language_is_the_rows_own_or_that_in_which_they_are_written(
    tmp_path: Path, named: str | None, text: str, language: str
) -> None:
    rows = [{"question": text, "answer": text, "score": 1, "language": named}]
    assert read(tmp_path, rows).items[0].language == language


def test_a_question_and_a_guide_may_be_said_for_a_whole_file(tmp_path: Path) -> None:
    found = read(tmp_path, [{"answer": "So.", "mark": 1}], question="Why?", guide="So, I say.")
    assert (found.items[0].question, found.items[0].guide) == ("Why?", "So, I say.")


@pytest.mark.parametrize("language", ["en", "el"])
@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv"])
def test_the_sample_is_read_whole_and_never_written_over(
    tmp_path: Path, language: str, suffix: str
) -> None:
    path = tmp_path / f"answers{suffix}"
    count = write_sample(path, language)
    found = read_items([path])
    assert len(found.items) == count >= 30 and not found.bad and not found.unused
    assert found.language == language and found.assumed_maximum == 0
    assert len({item.group for item in found.items}) >= 5
    with pytest.raises(UserError, match="exists already"):
        write_sample(path, language)
    with pytest.raises(UserError, match="samples in"):
        write_sample(tmp_path / "b.json", "hu")


def test_marks_that_are_nearly_all_one_are_said(tmp_path: Path) -> None:
    even = read(tmp_path, [row(n, score=n % 2, maximum=2) for n in range(40)])
    assert balance_lines(even.items) == ["marks of 2: 0: 20, 1: 20"]
    most = read(tmp_path, [row(n, score=2 if n else 0, maximum=2) for n in range(40)])
    (spread, advice) = balance_lines(most.items)
    assert spread == "marks of 2: 0: 1, 2: 39"
    assert advice.startswith("98% have the mark 2") and advice.endswith("where they earn 0")


def test_what_was_assumed_and_which_prompt_is_used_is_said_once(tmp_path: Path) -> None:
    rows = [row(n, language="hu") for n in range(3)]
    found = read(tmp_path, rows)
    lines = read_lines(found, ReadOptions())
    assert sum("Hungarian: asked by the general prompt" in line for line in lines) == 1
    assert any("no maximum named" in line for line in lines)
    assert not any(line.startswith("language:") for line in lines)
    lines = read_lines(read(tmp_path, [row(1)]), ReadOptions())
    assert "language: Greek, as the rows read (--language)" in lines


def test_a_students_row_with_several_answers_is_a_row_for_each(tmp_path: Path) -> None:
    path = tmp_path / "class.csv"
    path.write_text(
        "Surname,Grade/10,Question 1,Response 1,Mark 1,Question 2,Response 2,Mark 2\n"
        "Eco,7,Why?,So.,2,When?,Now.,3\n",
        "utf-8",
    )
    found = read_items([path])
    assert [(item.question, item.answer, item.score) for item in found.items] == [
        ("Why?", "So.", 2),
        ("When?", "Now.", 3),
    ]
    assert found.unused == {"class.csv": ["Surname"]}
    path.write_text("Grade,Question 1,Response 1,Question 2,Response 2\n7,a,b,c,d\n", "utf-8")
    assert len(read_items([path], scored=False).items) == 2
    with pytest.raises(UserError, match="2 no_score"):  # that of the whole examination
        read_items([path])


@pytest.mark.parametrize(
    ("codec", "head", "answer"),
    [
        ("cp1253", "Ερώτηση;Απάντηση;Βαθμός", "Το 1998, νομίζω"),
        ("cp1251", "Вопрос;Ответ;Оценка", "Наверное"),
        ("utf-16", "Ερώτηση;Απάντηση;Βαθμός", "Το 1998"),
    ],
)
def test_a_table_as_excel_saves_it_is_read_where_its_headings_tell_how(
    tmp_path: Path, codec: str, head: str, answer: str
) -> None:
    path = tmp_path / "class.csv"
    path.write_bytes(f"{head}\r\nx;{answer};2\r\n".encode(codec))
    assert read_items([path]).items[0].answer == answer
    path.write_bytes(f"question;answer;score\r\nx;{answer};2\r\n".encode(codec))
    if codec == "utf-16":
        assert read_items([path]).items[0].answer == answer
        return
    with pytest.raises(UserError, match="save it as CSV UTF-8"):
        read_items([path])
