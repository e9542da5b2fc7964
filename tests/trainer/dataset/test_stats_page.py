"""The statistics: counted, the same from an export, and safe to look at."""

from __future__ import annotations

import json
from pathlib import Path

from exchange.store.corpus import SpoolCorpus
from exchange.store.export import write_export
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill
from trainer.dataset import archive_stats


def quiet(what: str, done: int, total: int) -> None:
    """Nobody watches."""


def test_everything_is_counted_and_an_export_gives_the_same(tmp_path: Path) -> None:
    fill(
        tmp_path,
        30,
        published=lambda n: f"{2001 + n % 3}-02-03",
        section=lambda n: ("Πολιτική", "Διεθνή")[n % 2],
    )
    found = archive_stats.read_statistics(tmp_path, None, quiet)
    assert found.pairs == {"accepted": 90, "rejected": 30}
    assert found.by_year == {"2001": 30, "2002": 30, "2003": 30}
    assert found.by_section == {"Πολιτική": 45, "Διεθνή": 45}
    assert found.rejected == {"no_question_mark": 30}
    assert found.coverage["2002"] == {"Διεθνή": 5, "Πολιτική": 5}
    with SpoolCorpus(tmp_path) as corpus:
        write_export(corpus, tmp_path / "out")
    assert archive_stats.read_statistics(tmp_path, tmp_path / "out", quiet) == found


def test_the_page_is_one_file_that_runs_nothing(tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    fill(tmp_path, 3, section=lambda n: hostile)
    text = archive_stats.render_page(archive_stats.read_statistics(tmp_path, None, quiet))
    assert "<script" not in text and "&lt;script&gt;" in text
    assert "http://" not in text and "https://" not in text


def test_many_sections_are_summed_up(tmp_path: Path) -> None:
    fill(tmp_path, 40, section=lambda n: f"στήλη {n % 20}")
    columns, counts = archive_stats.coverage_grid(
        archive_stats.read_statistics(tmp_path, None, quiet)
    )
    assert len(columns) == archive_stats.MAX_SECTIONS + 1 and columns[-1] == archive_stats.OTHERS
    assert sum(counts["2001"]) == 40


def test_the_command_prints_tables_or_json(built: Desk) -> None:
    assert "Stories by year and section" in built.cli("dataset", "stats").stdout
    found = json.loads(built.cli("dataset", "stats", "--json").stdout)
    assert found["pairs"]["accepted"] == 60 and found["splits"]["test_general"] == 200
    built.cli("dataset", "stats", "--html", "page.html")
    assert (built.folder / "page.html").exists()
