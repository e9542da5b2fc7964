"""Pictures of pages: said with cause and cure, and read where the machine can."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.extract import documents
from crawler.extract.documents import UnreadableDocument
from crawler.importing.ocr import tesseract_language
from tests.conftest import run_cli
from tests.crawler.importing.test_import import TEXT, project


def pdf_of_pictures(pages: int, words: str = "") -> bytes:
    """Each page shows one picture, and perhaps a few words beside it."""
    draw = b"q 600 0 0 800 0 0 cm /I Do Q BT /F 9 Tf 9 9 Td (" + words.encode() + b") Tj ET"
    kids = b" ".join(b"%d 0 R" % (number + 5) for number in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages),
        b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8"
        b"/Length 1>>stream\n\xff\nendstream",
        b"<</Length %d>>stream\n%s\nendstream" % (len(draw), draw),
        *[
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources"
            b"<</XObject<</I 3 0 R>>/Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>"
        ]
        * pages,
    ]
    body, at = b"%PDF-1.4\n", []
    for number, told in enumerate(objects, 1):
        at.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, told)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(at) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in at)
    end = b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(at) + 1, len(body))
    return body + table + end


def reason(body: bytes) -> str:
    with pytest.raises(UnreadableDocument) as error:
        documents.read_document("@pdf", body, "import:x.pdf", "greek")
    return str(error.value)


def test_a_pdf_of_pictures_is_a_scan_and_one_with_words_is_none() -> None:
    assert reason(pdf_of_pictures(3)) == "scan"
    assert reason(pdf_of_pictures(2, "Digitized by the library")) == "scan"
    words = "The bridge over the river was opened on Monday by the mayor, in the rain, at ten."
    assert documents.read_document(
        "@pdf", pdf_of_pictures(1, words), "import:x.pdf", "greek"
    ).paragraphs


@pytest.mark.parametrize(
    ("language", "name"),
    [("el", "ell"), ("en", "eng"), ("de", "deu"), ("fr", "fra"), ("fa", "fas"), ("zh", "chi_sim")],
)
def test_tesseract_knows_a_language_by_its_own_name(language: str, name: str) -> None:
    assert tesseract_language(language) == name


def test_an_import_of_nothing_but_scans_fails_with_cause_and_cure(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "scans").mkdir()
    for number in range(3):
        (tmp_path / f"scans/{number}.pdf").write_bytes(pdf_of_pictures(number + 1))
    for _ in range(2):  # so too where all are known already
        said = run_cli("import", "scans", cwd=tmp_path, PATH="/nowhere")
        assert said.returncode == 1
        (line,) = said.stderr.strip().splitlines()[-1:]
        assert "3 PDF files are scans: run OCR first (ocrmypdf -l ell page.pdf text.pdf)" in line
        assert "[ocr]" in line or "needs tesseract" in line
    for number in range(9):
        (tmp_path / f"scans/{number}.txt").write_text(f"{TEXT} {number}", "utf-8")
    said = run_cli("import", "scans", cwd=tmp_path, PATH="/nowhere")
    assert said.returncode == 0 and "3 PDF files are scans: run OCR first" in said.stdout


def test_an_import_of_nothing_but_pictures_fails_too(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "scans").mkdir()
    (tmp_path / "scans/1.tif").write_bytes(b"II*\0")
    said = run_cli("import", "scans", cwd=tmp_path)
    assert said.returncode == 1
    assert "1 pictures may be scans: run OCR first (ocrmypdf -l ell page.tif text.pdf)" in (
        said.stderr
    )
