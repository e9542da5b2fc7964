"""Records and tables of every make: what names the fields go by, and what is broken in them."""

from __future__ import annotations

import codecs
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from crawler.extract import documents
from crawler.extract.documents import ImportDocument, UnreadableDocument
from crawler.extract.shapes import StoryParts
from crawler.importing.files import read_documents
from crawler.importing.json_files import ImportOptions, field_names
from exchange.errors import UsageError
from tests.conftest import run_cli
from tests.crawler.importing.test_import import project

ONE = "The bridge over the river cost 4 million and took two years to build."
TWO = "The mayor opened it on Monday, in the rain."


def items(path: Path, content: bytes | str, **options: Any) -> list[ImportDocument]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read_documents(path, path.name, lambda count: None, ImportOptions(**options)))


def read(path: Path, content: bytes | str, **options: Any) -> list[StoryParts | str]:
    """What each item of a file says, or the reason why it says nothing."""
    found: list[StoryParts | str] = []
    for item in items(path, content, **options):
        try:
            stored = item.kind, item.body, f"import:{item.name}", "greek"
            found.append(
                item.reason or documents.read_document(*stored, options.get("language", ""))
            )
        except UnreadableDocument as error:
            found.append(str(error))
    return found


def parts(told: object, folder: Path) -> StoryParts:
    (found,) = read(folder / "a.json", json.dumps(told))
    assert isinstance(found, StoryParts), found
    return found


@pytest.mark.parametrize(
    "told",
    [
        {"text": f"{ONE}\n\n{TWO}"},
        {"text": f"{ONE}\n{TWO}"},
        {"text": f"{ONE}\r\n{TWO}\r\n"},
        {"text": "", "body": f"{ONE}\n\n{TWO}"},
        {"text": None, "content": [], "Full Text": f"{ONE}\n\n{TWO}"},
        {"paragraphs": [ONE, TWO]},
        {"body": [{"type": "text", "text": ONE}, {"type": "image"}, {"text": TWO}]},
        {"content": {"rendered": f"<p>{ONE}</p>\n<p>{TWO}</p>"}},
        {"content": f"&lt;p&gt;{ONE}&lt;/p&gt;&lt;p&gt;{TWO}&lt;/p&gt;"},
        {"id": 7, "fields": {"bodyText": f"{ONE}\n\n{TWO}"}},
        {"_source": {"article": {"text": f"{ONE}\n\n{TWO}"}}},
    ],
)
def test_a_text_is_found_by_any_name_and_in_any_form(told: object, tmp_path: Path) -> None:
    assert parts(told, tmp_path).paragraphs == (ONE, TWO)


def test_lines_that_end_inside_sentences_are_one_paragraph(tmp_path: Path) -> None:
    wrapped = f"{ONE} {TWO}".replace(" river", "\nriver").replace(" to build", "\nto build")
    assert parts({"text": wrapped}, tmp_path).paragraphs == (f"{ONE} {TWO}",)
    long = f"{ONE} {TWO} {ONE}"  # no line that was cut at a width is as long
    assert parts({"text": f"Lead.\n\n{long}\n{TWO}"}, tmp_path).paragraphs == ("Lead.", long, TWO)
    thai = "สะพานข้ามแม่น้ำเปิดเมื่อวันจันทร์ " * 5  # ends with no mark
    assert parts({"text": f"{thai}\n{TWO}"}, tmp_path).paragraphs == (thai.strip(), TWO)


@pytest.mark.parametrize(
    ("told", "author"),
    [
        ({"author": "A. Vale"}, "A. Vale"),
        ({"author": {"@type": "Person", "name": "A. Vale"}}, "A. Vale"),
        ({"author": [{"name": "A. Vale"}, {"name": "B. Reed"}]}, "A. Vale, B. Reed"),
        ({"authors": ["A. Vale", "A. Vale", "B. Reed"]}, "A. Vale, B. Reed"),
        ({"author": {"@id": "https://paper.example/vale"}, "byline": "A. Vale"}, "A. Vale"),
        ({"dc:creator": "A. &amp; B."}, "A. & B."),
    ],
)
def test_authors_are_names(told: dict[str, Any], author: str, tmp_path: Path) -> None:
    assert parts({"text": ONE, **told}, tmp_path).author == author


@pytest.mark.parametrize(
    ("told", "date"),
    [
        ({"datePublished": "2004-05-03T23:10:00+02:00"}, "2004-05-03"),
        ({"timestamp": 1083542400}, "2004-05-03"),
        ({"timestamp": "1083542400000"}, "2004-05-03"),
        ({"created_at": -1000000000}, "1938-04-24"),
        ({"date": None, "Date_Published": "2004-05-03"}, "2004-05-03"),
    ],
)
def test_dates_are_read_as_they_are_written(
    told: dict[str, Any], date: str, tmp_path: Path
) -> None:
    assert parts({"text": ONE, **told}, tmp_path).date == date


@pytest.mark.parametrize("stop", [".", "。", "।", "۔", "։", "።", "။", "។"])
def test_a_line_ends_with_its_sentence_in_every_script(stop: str, tmp_path: Path) -> None:
    lines = tuple(f"{line}{stop}" for line in ("It rained", "The river rose", "The bridge closed"))
    assert parts({"text": "\n".join(lines)}, tmp_path).paragraphs == lines


@pytest.mark.parametrize(
    ("language", "date"),
    [("de", "3. März 2004"), ("el", "3 Μάρτη 2004"), ("en", "Mar 3 2004"), ("el", "1078272000")],
)
@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.md"])
def test_dates_are_read_in_the_archives_language(
    language: str, date: str, name: str, tmp_path: Path
) -> None:
    content = {
        "a.json": json.dumps({"text": ONE, "date": date}),
        "a.csv": f"date,text\n{date},{ONE}\n",
        "a.md": f"---\ndate: {date}\n---\n\n{ONE}\n",
    }
    (found,) = read(tmp_path / name, content[name], language=language)
    assert isinstance(found, StoryParts) and found.date == "2004-03-03"


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([{"text": ONE}, {"text": TWO}]),
        json.dumps({"text": ONE}) + "\n" + json.dumps({"text": TWO}),
        json.dumps({"response": {"docs": [{"text": ONE}, {"text": TWO}], "pages": [1, 2, 3]}}),
        json.dumps({"17": {"text": ONE}, "18": {"text": TWO}}, indent=1),
        json.dumps({"@graph": [{"articleBody": ONE}, {"articleBody": TWO}]}),
        codecs.BOM_UTF8
        + json.dumps([{"text": ONE}, {"text": TWO, "score": float("nan")}]).encode(),
    ],
)
def test_the_records_of_a_json_file_are_found(content: str | bytes, tmp_path: Path) -> None:
    found = read(tmp_path / "a.json", content)
    assert [one.paragraphs for one in found if isinstance(one, StoryParts)] == [(ONE,), (TWO,)]


def test_a_broken_line_costs_itself(tmp_path: Path) -> None:
    lines = [
        json.dumps({"text": ONE}),
        '{"text": ',
        "7",
        '{"kicker": 1}',
        json.dumps({"text": TWO}),
    ]
    found = read(tmp_path / "a.jsonl", "\n".join(lines))
    assert [one if isinstance(one, str) else one.paragraphs for one in found] == [
        (ONE,),
        "broken-json",
        "no-record",
        "no-text-field",
        (TWO,),
    ]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "cp1253"])
def test_a_table_is_read_whatever_parts_its_cells(mark: str, codec: str, tmp_path: Path) -> None:
    rows = [["Title", "Published", "Text", ""], ["Γέφυρα", "2004-05-03", f'"{ONE}\n\n{TWO}"', ""]]
    content = "\r\n".join(mark.join(row) for row in rows) + "\r\n\r\n"
    (found,) = read(tmp_path / "a.csv", content.encode(codec), language="el")
    assert isinstance(found, StoryParts)
    assert (found.title, found.date, found.paragraphs) == ("Γέφυρα", "2004-05-03", (ONE, TWO))


def test_a_broken_row_costs_itself(tmp_path: Path) -> None:
    rows = [
        "id,title,text",
        f'1,A,"{ONE}"',
        f'2,B,"{ONE}',  # never closed
        f'3,C,"{TWO}"',
        "4,D,one,cell,too,many",
        '5,E,she said "yes" at once',
        f'6,F,"{TWO}"',
        '7,G,"the end',
    ]
    found = read(tmp_path / "a.csv", "\n".join(rows))
    titles = [one if isinstance(one, str) else one.title for one in found]
    assert titles == ["A", "B", "C", "broken-row", "E", "F", "G"]
    assert "one,cell" not in str(found)


def test_columns_of_any_name_are_named_by_the_operator(tmp_path: Path) -> None:
    table = f"Überschrift;Inhalt;Rest\nBrücke;{TWO};x\n"
    (item,) = items(tmp_path / "a.csv", table)
    assert item.reason == "no-text-column"
    assert "'Überschrift', 'Inhalt', 'Rest'" in item.detail and "--field" in item.detail
    fields = field_names(["text=Inhalt", "title=Überschrift"])
    (found,) = read(tmp_path / "a.csv", table, fields=fields)
    assert isinstance(found, StoryParts)
    assert (found.title, found.paragraphs) == ("Brücke", (TWO,))
    (again,) = read(tmp_path / "a.jsonl", json.dumps({"Inhalt": TWO, "text": "x"}), fields=fields)
    assert isinstance(again, StoryParts) and again.paragraphs == (TWO,)
    for wrong in ("text", "words=Inhalt", "text="):
        with pytest.raises(UsageError, match="--field"):
            field_names([wrong])


def spreadsheet(
    path: Path, *sheets: list[list[str | int]], titles: tuple[str, ...] = ("S1", "S2", "S3")
) -> bytes:
    """The smallest workbook: texts and numbers, nothing else."""
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    names = "".join(
        f'<sheet name="{titles[n - 1]}" sheetId="{n}" r:id="r{n}"/>'
        for n in range(1, len(sheets) + 1)
    )
    targets = "".join(
        f'<Relationship Id="r{n}" Type="{office}/worksheet" Target="worksheets/s{n}.xml"/>'
        for n in range(1, len(sheets) + 1)
    )
    with zipfile.ZipFile(path, "w") as made:
        made.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{links}"><Relationship Id="r" Type="{office}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        made.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>{names}</sheets></workbook>',
        )
        made.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{links}">{targets}</Relationships>',
        )
        for number, rows in enumerate(sheets, 1):
            cells = "".join(f"<row>{''.join(map(_cell, row))}</row>" for row in rows)
            made.writestr(
                f"xl/worksheets/s{number}.xml",
                f'<worksheet xmlns="{main}"><sheetData>{cells}</sheetData></worksheet>',
            )
    return path.read_bytes()


def _cell(value: str | int) -> str:
    if isinstance(value, int):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{value}</t></is></c>'


def test_a_spreadsheets_rows_are_stories(tmp_path: Path) -> None:
    content = spreadsheet(
        tmp_path / "made.xlsx",
        [["Stories of 2004"], ["Title", "Text", "Date"], ["A", ONE, "2004-05-03"], ["B", TWO, 7]],
        [["notes"], ["none"]],
    )
    for name in ("a.xlsx", "a.bin"):  # by its content, whatever its name
        found = read(tmp_path / name, content)
        assert [one.title for one in found if isinstance(one, StoryParts)] == ["A", "B"], name
    assert read(tmp_path / "cut.xlsx", content[:-200]) == ["broken-sheet"]


PAGE = f"<html><head><title>A</title></head><body><p>{ONE}</p></body></html>"


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("story.php", PAGE, "@html"),
        ("story.php?id=7", PAGE, "@html"),
        ("page.do?publDate=1%2F2%2F1999", PAGE, "@html"),
        ("index.shtml", "Body text alone", "@html"),
        ("7", PAGE, "@html"),
        ("story.17", ONE, "@text"),
        ("README", ONE, "@text"),
        ("export", json.dumps({"text": ONE}), "@json"),
        ("lines", json.dumps({"text": ONE}) + "\n" + json.dumps({"text": TWO}), "@json"),
        ("scan.bin", "%PDF-1.4", "@pdf"),
        ("style.css", "p { color: red }", ""),
        ("script.js", "var a = 1", ""),
        ("program", b"\x7fELF\x00\x01", ""),
    ],
)
def test_a_file_is_what_its_content_says(
    name: str, content: str | bytes, kind: str, tmp_path: Path
) -> None:
    found = items(tmp_path / name, content)
    assert {item.kind for item in found} == {kind}
    assert {item.reason for item in found} == {"" if kind else "unknown-type"}


def test_an_import_that_brings_nothing_fails_with_cause_and_cure(tmp_path: Path) -> None:
    project(tmp_path)
    made = tmp_path / "in"
    made.mkdir()
    nothing = run_cli("import", "in", cwd=tmp_path)
    assert (nothing.returncode, "nothing to import in in" in nothing.stderr) == (1, True)
    (made / "a.jsonl").write_text(json.dumps({"Inhalt": ONE}) + "\n" + json.dumps({"Inhalt": TWO}))
    lost = run_cli("import", "in", cwd=tmp_path)
    assert lost.returncode == 1
    assert "no story at all came of 2 of what is new (no-text-field 2)" in lost.stderr
    assert "--field text=NAME" in lost.stderr
    named = run_cli("import", "in", "--field", "text=Inhalt", cwd=tmp_path)
    assert named.returncode == 0 and "2 new, 0 known, 0 rejected; 2 stories" in named.stdout
    (made / "b.csv").write_text("Titel,Inhalt\nA,B\n")
    partly = run_cli("import", "in/b.csv", cwd=tmp_path)
    assert partly.returncode == 1 and "its columns are 'Titel', 'Inhalt'" in partly.stderr
