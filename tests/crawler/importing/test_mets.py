"""Scanned issues: articles over pages where METS tells them, whole words, nothing twice."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from crawler.importing.files import read_documents, walk_files
from crawler.importing.json_files import ImportOptions

ALTO = "http://www.loc.gov/standards/alto/ns-v4#"


def string(content: str, whole: str = "", part: str = "") -> str:
    told = f' SUBS_TYPE="{part}"' if part else ""
    told += f' SUBS_CONTENT="{whole}"' if whole else ""
    return f'<String CONTENT="{content}"{told}/>'


def line(*tokens: str) -> str:
    """A line of words; one that is marked up already stays as it is."""
    made = (token if token.startswith("<") else string(token) for token in tokens)
    return f"<TextLine>{'<SP/>'.join(made)}</TextLine>"


def block(name: str, *lines: str) -> str:
    return f'<TextBlock ID="{name}">{"".join(lines)}</TextBlock>'


def page(*blocks: str, order: str = "", margin: str = "") -> str:
    return (
        f'<?xml version="1.0"?><alto xmlns="{ALTO}">{order}<Layout><Page ID="P">'
        f"<TopMargin>{margin}</TopMargin><PrintSpace><ComposedBlock>{''.join(blocks)}"
        "</ComposedBlock></PrintSpace></Page></Layout></alto>"
    )


def area(file: str, *blocks: str) -> str:
    areas = "".join(f'<area FILEID="{file}" BETYPE="IDREF" BEGIN="{name}"/>' for name in blocks)
    return f"<fptr><seq>{areas}</seq></fptr>"


def div(kind: str, *inside: str, **more: str) -> str:
    told = "".join(f' {name}="{value}"' for name, value in more.items())
    return f'<div TYPE="{kind}"{told}>{"".join(inside)}</div>'


def mets(files: dict[str, str], logical: str = "", described: str = "") -> str:
    listed = "".join(
        f'<file ID="{name}"><FLocat LOCTYPE="URL" xlink:href="{href}"/></file>'
        for name, href in files.items()
    )
    pages = "".join(div("PAGE", f'<fptr FILEID="{name}"/>') for name in files)
    return (
        '<mets xmlns="http://www.loc.gov/METS/" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'xmlns:mods="http://www.loc.gov/mods/v3"><dmdSec ID="ISSUE"><mods:mods><mods:originInfo>'
        "<mods:dateIssued>1932-05-17</mods:dateIssued></mods:originInfo></mods:mods></dmdSec>"
        f"{described}<fileSec><fileGrp>{listed}</fileGrp></fileSec>"
        f'<structMap TYPE="PHYSICAL">{div("Newspaper", pages)}</structMap>'
        f'<structMap TYPE="LOGICAL">{div("Newspaper", logical)}</structMap></mets>'
    )


def read(folder: Path, root: Path | None = None) -> list[dict[str, object] | str]:
    options = ImportOptions(folder=root or folder)
    return [
        item.reason or orjson.loads(item.body)
        for path, name in walk_files(root or folder)
        for item in read_documents(path, name, lambda count: None, options)
    ]


def issue(folder: Path, logical: str = "", described: str = "") -> None:
    (folder / "alto").mkdir(parents=True)
    first = page(
        block("T1", line("The", "Bridge")),
        block("A1", line("By", "N.", "Vale")),
        block(
            "B1",
            line("It", "was", string("ope", "opened", "HypPart1"), "<HYP CONTENT='-'/>"),
            line(string("ned", "opened", "HypPart2"), "on"),
            line("Mon", '<HYP CONTENT="-"/>'),
        ),
        block("AD", line("Buy", "soap")),
        margin=block("M", line("Page", "1")),
    )
    second = page(block("B2", line("day", "in", "rain.")), block("T2", line("Next")))
    (folder / "alto/1.xml").write_text(first)
    (folder / "alto/2.xml").write_text(second)
    files = {"F1": "file://./alto/1.xml", "F2": "alto/2.xml", "F3": "../../etc/passwd"}
    (folder / "mets.xml").write_text(mets(files, logical, described))


def test_a_story_is_an_article_over_its_pages(tmp_path: Path) -> None:
    body = div("BODY", div("PARAGRAPH", area("F1", "B1")), div("PARAGRAPH", area("F2", "B2")))
    head = div("HEADING", div("TITLE", area("F1", "T1")), div("AUTHOR", area("F1", "A1")))
    logical = div(
        "CONTENT",
        div("ARTICLE", head, body),
        div("ADVERTISEMENT", area("F1", "AD")),
        div("ARTICLE", div("BODY", area("F2", "T2")), DMDID="D2", LABEL="from the label"),
    )
    described = (
        '<dmdSec ID="D2"><mods:mods><mods:titleInfo><mods:title>Second</mods:title>'
        "</mods:titleInfo><mods:name><mods:namePart>E. Reed</mods:namePart></mods:name>"
        "</mods:mods></dmdSec>"
    )
    issue(tmp_path / "1932", logical, described)
    assert read(tmp_path / "1932", tmp_path) == [
        {
            "date": "1932-05-17",
            "title": "The Bridge",
            "author": "By N. Vale",
            "text": ["It was opened on Monday in rain."],
        },
        {"date": "1932-05-17", "title": "Second", "author": "E. Reed", "text": ["Next"]},
    ]


def test_without_articles_a_story_is_a_page(tmp_path: Path) -> None:
    issue(tmp_path / "a")
    found = read(tmp_path)
    assert [told["text"] for told in found if isinstance(told, dict)] == [
        ["The Bridge", "By N. Vale", "It was opened on Mon-", "Buy soap"],
        ["day in rain.", "Next"],
    ]
    only_first = div("ARTICLE", area("F1", "B1"))
    issue(tmp_path / "b", only_first)  # the second page is in no article: it is not lost
    assert [told["text"] for told in read(tmp_path / "b") if isinstance(told, dict)] == [
        ["It was opened on Mon-"],
        ["day in rain.", "Next"],
    ]


def test_a_page_without_an_issue_is_a_story_and_broken_ones_are_counted(tmp_path: Path) -> None:
    order = '<ReadingOrder><OrderedGroup><ElementRef REF="X2"/><ElementRef REF="X1"/>'
    order += "</OrderedGroup></ReadingOrder>"
    blocks = block("X1", line("second.")), block("X2", line("First"), line("the"))
    (tmp_path / "1932-05-18.xml").write_text(page(*blocks, order=order))
    (tmp_path / "cut.xml").write_text('<mets xmlns="')
    (tmp_path / "drawn.xml").write_text(page())
    (tmp_path / "other.xml").write_text("<rss><channel/></rss>")
    assert read(tmp_path) == [
        {"text": ["First the", "second."]},
        "no-text",
        "no-text",
        "unknown-type",
    ]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([line("a", "bri-"), line("dge")], "a bridge"),
        ([line("a", "bri", '<HYP CONTENT="-"/>'), line("dge")], "a bridge"),
        (
            [line("a", string("bri", part="HypPart1")), line(string("dge", part="HypPart2"))],
            "a bridge",
        ),
        (
            [line("a", string("bri", "bridge", "HypPart1")), line(string("dge", part="HypPart2"))],
            "a bridge",
        ),
        ([line(string("dge", "bridge", "HypPart2"), "again")], "again"),
        ([line("Austria-"), line("Hungary")], "Austria-Hungary"),
        ([line("1914", "-"), line("1918")], "1914 - 1918"),
        ([line("γέφυ", '<HYP CONTENT="¬"/>'), line("ρα")], "γέφυρα"),
    ],
)
def test_words_that_a_lines_end_parts_are_whole(
    lines: list[str], text: str, tmp_path: Path
) -> None:
    (tmp_path / "a.xml").write_text(page(block("B", *lines)))
    assert read(tmp_path) == [{"text": [text]}]


def test_nothing_outside_of_a_file_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "hidden").write_text("secret")
    bomb = f'<!DOCTYPE x [<!ENTITY s SYSTEM "file://{tmp_path}/hidden">]>'
    content = page(block("B", line("before", string("&s;"), "after"))).replace("?>", "?>" + bomb)
    (folder / "a.xml").write_text(content)
    (said,) = read(folder)
    assert "before" in str(said) and "secret" not in str(said)
