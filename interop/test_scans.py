"""Scans read by OCRmyPDF and Tesseract, as the extra `ocr` brings them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tests.conftest import run_cli
from tests.crawler.harness import stories
from tests.crawler.importing.test_import import project
from tests.crawler.importing.test_scans import pdf_of_pictures


def test_with_the_extra_scans_are_read(tmp_path: Path) -> None:
    page = Image.new("L", (1240, 500), 255)
    for number, line in enumerate(
        ["The bridge over the river was opened", "on Monday in the rain."]
    ):
        place = (60, 60 + number * 50)
        ImageDraw.Draw(page).text(place, line, fill=0, font=ImageFont.load_default(36))
    (tmp_path / "scans").mkdir()
    page.save(tmp_path / "scans/1932-05-17.pdf", title="Bridge", resolution=150)
    (tmp_path / "scans/blank.pdf").write_bytes(pdf_of_pictures(1))
    (tmp_path / "english.toml").write_text(
        'name = "Paper"\nlanguage = "en"\nbase = "http://paper.example"\nstart = ["/"]\n'
        "[kinds.page]\nrole = 'both'\npath = '.*'\n"
    )
    project(tmp_path, '[crawl]\nprofile = "english.toml"\n')
    said = run_cli("import", "scans", cwd=tmp_path)
    assert said.returncode == 0, said.stderr
    (story,) = stories(tmp_path / "data")
    assert "".join(story.text.split()) == (
        "Thebridgeovertheriverwasopenedon Mondayintherain.".replace(" ", "")
    )
    assert (story.title, story.published) == ("Bridge", "1932-05-17")
    again = run_cli("import", "scans", cwd=tmp_path)
    assert again.returncode == 0 and "0 new, 2 known" in again.stdout
    assert stories(tmp_path / "data") == [story]
