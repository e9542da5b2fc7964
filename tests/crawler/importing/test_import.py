"""What one already has becomes stories: every format, each once, and nothing hostile stops it."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
import time
import zlib
from io import BytesIO
from pathlib import Path

import pytest

from crawler.extract import documents
from crawler.extract.documents import ImportDocument
from crawler.extract.file_names import compile_date_pattern, date_in, title_in
from crawler.importing.files import read_documents, walk_files
from exchange.errors import UsageError, UserError
from exchange.machine import install_command
from exchange.records import Story
from tests.conftest import cli_environment, run_cli
from tests.crawler.harness import PROFILE, crawl, stories
from tests.crawler.loopback import Loopback, paper

TEXT = "Η γέφυρα του Ξηροπόταμου κόστισε 240.000 ευρώ και χτίστηκε σε 14 μήνες."
MANY = 3000  # stories, so that a signal finds some of them not stored yet
MORE = "Την εγκαινίασε ο δήμαρχος Νίκος Βαλτινός μπροστά σε πολύ κόσμο."


def pdf(text: str, *, bomb: bool = False) -> bytes:
    """The smallest PDF that shows a few words; a bomb shows them after 200 MB of nothing."""
    draw = b"BT /F1 12 Tf 72 700 Td (" + text.encode("ascii") + b") Tj ET"
    packed = b""
    if bomb:
        draw, packed = zlib.compress(b" " * (200 << 20) + draw), b"/Filter/FlateDecode"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<<%s/Length %d>>stream\n%s\nendstream" % (packed, len(draw), draw),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, at = b"%PDF-1.4\n", []
    for number, told in enumerate(objects, 1):
        at.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, told)
    table = b"xref\n0 6\n0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % n for n in at)
    return body + table + b"trailer<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % len(body)


WARC = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://x.org/1\r\n"
    b"Content-Type: application/http; msgtype=response\r\nContent-Length: 140\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + b"<p>x</p>" * 12 + b"\r\n\r\n"
)


def project(folder: Path, more: str = "") -> None:
    (folder / "kkoracle.toml").write_text(f'data = "data"\narchive = "paper"\n{more}', "utf-8")


def bring_in(folder: Path, *arguments: str) -> str:
    said = run_cli("import", *arguments, cwd=folder)
    assert said.returncode == 0, said.stderr
    return next(line for line in said.stdout.splitlines() if " known, " in line and "new" in line)


def found(folder: Path) -> dict[str, Story]:
    return {story.title: story for story in stories(folder / "data")}


def test_every_format_becomes_stories_with_title_and_date(tmp_path: Path) -> None:
    project(tmp_path)
    files = tmp_path / "files"
    (files / "2001/05").mkdir(parents=True)
    (files / "2001/05/03 Το γεφύρι.txt").write_text(f"{TEXT}\n\n{MORE}", "utf-8")
    (files / "old.txt").write_bytes(f"Από παλιό υπολογιστή\n\n{TEXT}\n{MORE}".encode("cp1253"))
    (files / "a.md").write_text(
        f"---\ntitle: Σημειώσεις\ndate: 4 Μάη 2002\nauthor: 'Α. Β.'\n---\n\n**{TEXT}**\n\n"
        f"- {MORE}\n\n![εικόνα](x.png)\n<script>alert(1)</script>\n",
        "utf-8",
    )
    (files / "b.html").write_text(
        "<html><head><title>Σελίδα</title><meta name=date content=2003-06-07></head>"
        f"<body><article><p>{TEXT}</p><p>{MORE}</p></article></body></html>",
        "utf-8",
    )
    (files / "c.jsonl.gz").write_bytes(
        gzip.compress(
            f'{{"headline": "Πρώτη", "body": "<p>{TEXT}</p><p>{MORE}</p>", "timestamp": 1000000000,'
            f'"url": "http://x.org/1", "authors": ["Α", "Β"]}}\n\n'
            f'{{"title": "Δεύτερη", "text": "{TEXT}\\n\\n{MORE}", '
            f'"published": "1/2/1999"}}'.encode()
        )
    )
    (files / "d.json").write_text(f'[{{"title": "Τρίτη", "text": "{TEXT} {MORE}"}}]', "utf-8")
    (files / "20040809-scan.pdf").write_bytes(pdf("The bridge over the river was opened today."))

    said = bring_in(tmp_path, "files")
    assert "8 new, 0 known, 0 rejected; 8 stories" in said
    got = found(tmp_path)
    assert {title: story.published for title, story in got.items()} == {
        "Το γεφύρι": "2001-05-03",
        "Από παλιό υπολογιστή": "",
        "Σημειώσεις": "2002-05-04",
        "Σελίδα": "2003-06-07",
        "Πρώτη": "2001-09-09",
        "Δεύτερη": "1999-02-01",
        "Τρίτη": "",
        "scan": "2004-08-09",
    }
    assert got["Το γεφύρι"].text == f"{TEXT}\n\n{MORE}" == got["Πρώτη"].text
    assert got["Σημειώσεις"].text == f"{TEXT}\n\n{MORE}"
    assert (got["Πρώτη"].url, got["Πρώτη"].author) == ("http://x.org/1", "Α, Β")
    assert got["Από παλιό υπολογιστή"].text == f"{TEXT} {MORE}"
    assert "/" not in got["Το γεφύρι"].url.removeprefix("import:2001/05/")

    (files / "2001/05/03 Το γεφύρι.txt").rename(files / "moved.txt")
    (files / "new.txt").write_text(f"Νέα\n\n{MORE} {TEXT}", "utf-8")
    assert "1 new, 8 known, 0 rejected; 9 stories" in bring_in(tmp_path, "files")


def _hostile(folder: Path) -> dict[str, int]:
    """Twenty ways to be no story; what each is counted as."""
    from pypdf import PdfReader, PdfWriter

    made: dict[str, bytes] = {
        "empty.txt": b" \n",
        "binary.txt": b"\x00\x01" * 400,
        "big.html": b"<p>" + b"x" * (6 << 20),
        "program.exe": b"MZ",
        "fake.pdf": b"hello",
        "broken.pdf": pdf("x")[:200],
        "broken.jsonl": b'{"text": \n{"title": "no text"}\n[1]\n',
        "broken.json": b"{",
        "deep.json": b"[" * 200_000,
        "wide.jsonl": b'{"text": "' + b"a" * (6 << 20) + b'"}\n',
        "cut.jsonl.gz": gzip.compress(b'{"text": "x"}\n' * 9999)[:100],
        "none.warc": b"garbage",
        "cut.warc": WARC[:-40],
        "nothing.md": b"![x](y)\n",
        "scripts.html": b"<script>var a = 1</script>",
        "nested.html": b"<div>" * 100_000 + b"x",
        "short.txt": "δύο λέξεις".encode(),
        "emphasis.md": b"*a " * 50_000,
        "bomb.pdf": pdf("x", bomb=True),
        "loop.pdf": pdf("x").replace(b"/Kids[3 0 R]", b"/Kids[2 0 R]"),
    }
    for name, body in made.items():
        (folder / name).write_bytes(body)
    writer = PdfWriter(clone_from=PdfReader(BytesIO(pdf("secret"))))
    writer.encrypt("password")
    writer.write(folder / "locked.pdf")
    (folder / "link.txt").symlink_to("/etc/passwd")
    os.mkfifo(folder / "pipe.txt")
    return {
        "empty": 1,
        "not-text": 1,
        "too-big": 2,
        "unknown-type": 1,
        "not-pdf": 1,
        "broken-json": 3,
        "no-record": 1,
        "unreadable": 1,
        "broken-warc": 2,
        "not-a-file": 2,
    }


def test_hostile_files_are_counted_rejections_and_stop_nothing(tmp_path: Path) -> None:
    project(tmp_path)
    files = tmp_path / "files"
    files.mkdir()
    rejected = _hostile(files)
    (files / "z.txt").write_text(f"{TEXT} {MORE}", "utf-8")
    said = bring_in(tmp_path, "files")
    reasons = said.partition("rejected (")[2].partition(")")[0]
    assert dict(part.rsplit(" ", 1) for part in reasons.split(", ")) == {
        reason: str(count) for reason, count in rejected.items()
    }
    assert [title for title in found(tmp_path) if title == "z"] == ["z"]
    counters = counted(tmp_path)
    assert {"text.broken-pdf", "text.encrypted-pdf", "text.no-text-field", "text.too-short"} <= {
        *counters
    }
    assert counters["text.broken-pdf"] >= 2  # one of them would unpack to 200 MB
    assert not {"text.waiting", "text.hung", "text.crashed"} & {*counters}
    again = bring_in(tmp_path, "files")
    assert again.startswith("paper: 0 new, ")
    assert counted(tmp_path) == counters  # a second import counts nothing twice


def counted(folder: Path) -> dict[str, int]:
    from crawler.status.report import read_counters

    return read_counters(folder / "data" / "paper")


def test_a_pattern_says_where_the_date_stands(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "in/98").mkdir(parents=True)
    (tmp_path / "in/98/0305_x.txt").write_text(f"{TEXT} {MORE}", "utf-8")
    bring_in(tmp_path, "in", "--date-pattern", "{yy}/{mm}{dd}_*")
    assert [story.published for story in found(tmp_path).values()] == ["1998-03-05"]
    said = run_cli("import", "nowhere", cwd=tmp_path)
    assert (said.returncode, said.stderr.strip()) == (2, "kkoracle: nowhere does not exist")


@pytest.mark.parametrize(
    ("name", "date", "title"),
    [
        ("2001-05-03 Ο τίτλος.txt", "2001-05-03", "Ο τίτλος"),
        ("archive/20010503_a-b.html", "2001-05-03", "a b"),
        ("2001/05/03/x.txt", "2001-05-03", "x"),
        ("3-5-2001.txt", "2001-05-03", ""),
        ("note 12345678901.txt", "", "note 12345678901"),
        ("2001-13-40.txt", "", "2001 13 40"),
        ("a.jsonl#17", "", "a"),
        ("x", "", "x"),
    ],
)
def test_names_tell_dates_and_titles(name: str, date: str, title: str) -> None:
    assert date_in(name) == date
    if date or "2001" not in name:
        assert title_in(name) == title


def test_a_killed_import_goes_on_and_brings_each_file_once(tmp_path: Path) -> None:
    project(tmp_path)
    lines = (f'{{"title": "{n}", "text": "{TEXT} {n}. {MORE}"}}' for n in range(MANY))
    (tmp_path / "big.jsonl").write_text("\n".join(lines), "utf-8")
    command = [sys.executable, "-m", "kkoracle", "import", "big.jsonl"]
    for end in (signal.SIGKILL, signal.SIGINT):
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=cli_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        before = known(tmp_path)
        while known(tmp_path) <= max(before, 0):
            # It runs in short turns, so that the signal finds work left on any machine.
            assert process.poll() is None
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
            process.send_signal(signal.SIGSTOP)
        process.send_signal(end)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
        assert process.returncode == (3 if end == signal.SIGINT else -signal.SIGKILL)
        assert 0 < known(tmp_path) < MANY
    assert f"{MANY} stories" in bring_in(tmp_path, "big.jsonl")
    assert known(tmp_path) == len(found(tmp_path)) == MANY


def known(folder: Path) -> int:
    try:
        return counted(folder).get("pages.done", 0)
    except UserError as error:  # stopped in the moment in which it creates or recovers the file
        if "another process holds it" not in str(error):
            raise
        return -1


def test_raw_pages_go_out_as_warc_and_come_back_without_a_request(tmp_path: Path) -> None:
    for name in ("out", "back"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "profile.toml").write_text(PROFILE, "utf-8")
    with Loopback(paper("/story/1", "/story/2", "/list/3", "/story/9")) as site:
        site.routes["/list/3"] = site.routes.pop("/story/9")
        more = (
            f'[crawl]\nprofile = "profile.toml"\nbase_url = "{site.url}"\ndelay = 0.0\n'
            'contact = "t@example.org"\nmin_free_mb = 0\n'
        )
        crawl(tmp_path / "out" / "data", site.url)
        project(tmp_path / "out", more)
        project(tmp_path / "back", more)
        asked = len(site.log)
        said = run_cli("archive", "warc", "paper", "p.warc.gz", cwd=tmp_path / "out")
        assert said.returncode == 0 and "p.warc.gz: 4 pages" in said.stdout, said.stderr
        assert "4 new, 0 known" in bring_in(tmp_path / "back", "../out/p.warc.gz")
        assert len(site.log) == asked
        assert stories(tmp_path / "back/data") == stories(tmp_path / "out/data")
        asked = site.visits()
        crawl(tmp_path / "back" / "data", site.url)  # what came in is not asked for again
        assert set(site.visits() - asked) == {"/robots.txt", "/story/9"}


def test_pages_of_another_site_are_files_and_it_is_said(tmp_path: Path) -> None:
    project(tmp_path)
    (tmp_path / "a.warc").write_bytes(WARC)
    said = run_cli("import", "a.warc", cwd=tmp_path).stdout
    assert "1 new, 0 known" in said
    assert (
        "other sites than the profile's were read as single files, such as http://x.org/1" in said
    )


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "warcio.py").write_text("raise ImportError")
    (tmp_path / "a.warc").write_bytes(b"WARC/1.0\r\n")
    project(tmp_path)
    path = f"{tmp_path}{os.pathsep}{cli_environment()['PYTHONPATH']}"
    said = run_cli("import", "a.warc", cwd=tmp_path, PYTHONPATH=path)
    assert said.returncode == 2
    assert said.stderr.strip() == f"kkoracle: WARC files need warcio: {install_command('warc')}"


def test_front_matter_may_be_toml_and_broken_front_matter_is_no_harm() -> None:
    told = documents.read_document(
        "@markdown", f"+++\ntitle = 'Τ'\n+++\n{TEXT}".encode(), "import:x.md", "greek"
    )
    assert (told.title, told.paragraphs) == ("Τ", (TEXT,))
    broken = documents.read_document(
        "@markdown", f"+++\ntitle = \n+++\n{TEXT}".encode(), "import:x.md", "greek"
    )
    assert (broken.title, broken.paragraphs) == ("x", (TEXT,))


def test_words_cut_at_the_end_of_a_pdfs_line_are_whole_again() -> None:
    body = pdf("bri-) Tj 0 -14 Td (dge of stone").replace(b"/Length 63", b"/Length 70")
    assert documents.read_document("@pdf", body, "import:x.pdf", "greek").paragraphs == (
        "bridge of stone",
    )


def test_a_folder_of_ours_is_not_imported_and_hidden_files_are_not(tmp_path: Path) -> None:
    for name in ("a.txt", ".hidden/b.txt", "data/c.txt", ".d.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    seen = [name for _, name in walk_files(tmp_path, (tmp_path / "data").resolve())]
    assert seen == ["a.txt"]
    assert list(read_documents(tmp_path / "gone.txt", "gone.txt", lambda n: None)) == [
        ImportDocument("gone.txt", "", reason="unreadable")
    ]


@pytest.mark.parametrize("bad", ["{yyyy}-{mm}", "{year}-{mm}-{dd}", "{dd}{d}{yyyy}", ""])
def test_a_pattern_that_means_no_date_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="--date-pattern"):
        compile_date_pattern(bad)
