"""The shape of the house: who may know whom, one name a class, and nothing that grew too large."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tools.code_counts import BESIDE, ROOMS, Counts, count, duplicated_classes

ROOT = Path(__file__).parent.parent
HEAVY = {"mlx", "mlx_lm", "torch"}
MAY_IMPORT_MLX = (ROOT / "exchange/inference/mlx", ROOT / "trainer/training")
LIGHT = ("exchange", "kkoracle", "crawler.cli", "workers.cli", "trainer.cli")  # by `--help`
FILES = 510
FILES_AT_TOP = 14
LONGEST = 300  # lines of a module; most stay under 250
VAGUE = frozenset(
    [
        "desk",
        "door",
        "doorbell",
        "beacon",
        "house",
        "show",
        "figures",
        "asking",
        "weeks",
        "middle",
        "sent",
        "twin",
        "lanes",
        "sitting",
        "beside",
        "pulse",
        "outbox",
        "upkeep",
        "standing",
        "sort",
        "meeting",
        "parcel",
        "place",
        "turns",
        "outside",
        "voices",
        "talk",
        "told",
        "said",
    ]
)  # file names that say nothing to a newcomer


@pytest.fixture(scope="module")
def counts() -> Counts:
    return count(ROOT)


def modules(*rooms: str) -> list[Path]:
    return [path for room in rooms for path in sorted((ROOT / room).rglob("*.py"))]


def test_imports_keep_to_the_floors_and_run_in_no_circle() -> None:
    said = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stdout


def test_no_file_imports_another_in_a_circle(counts: Counts) -> None:
    assert counts.import_circles == 0


def test_a_class_name_means_one_thing() -> None:
    trees = {path: ast.parse(path.read_text("utf-8")) for path in modules(*ROOMS, *BESIDE)}
    assert len(trees) > 100
    assert duplicated_classes(trees) == {}


def test_no_file_has_a_name_that_nobody_can_decode() -> None:
    assert [path for path in modules(*ROOMS, *BESIDE, "tests") if path.stem in VAGUE] == []


def test_the_formatter_has_the_last_word(counts: Counts) -> None:
    assert counts.formatter_overruled == 0


def test_rooms_are_few_files_at_their_top_and_files_stay_small(counts: Counts) -> None:
    for room in ("exchange", "crawler", "trainer"):
        assert counts.files_at_top[room] <= FILES_AT_TOP, room
    long = [path for path in modules(*ROOMS) if len(path.read_text("utf-8").splitlines()) > LONGEST]
    assert long == []


def test_a_paragraph_is_no_module(counts: Counts) -> None:
    assert counts.small_with_one_importer < 20
    assert counts.files <= FILES
    assert counts.lines / counts.files > 143  # the house grows by what it can do, not by crumbs


def test_one_idea_has_one_home(counts: Counts) -> None:
    assert counts.atomic_writes == ["exchange/files.py"]
    assert counts.duration_formatters == ["exchange/display.py"]
    assert counts.prompt_loaders == ["exchange/recipes/prompts.py"]
    assert counts.rooms_that_decode == ["exchange/inference/mlx"]


def test_every_error_has_a_class_of_its_own(counts: Counts) -> None:
    assert counts.raises_of_a_base_class == 0


@pytest.mark.parametrize("room", ROOMS)
def test_mlx_is_imported_only_where_a_files_place_says_so(room: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(room)
        if path.parent not in MAY_IMPORT_MLX
        for name in imported_at_the_top(path)
        if name.partition(".")[0] in HEAVY
    }
    assert wrong == set()


def imported_at_the_top(path: Path) -> set[str]:
    """The dotted names that importing a file imports."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        pending.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("name", LIGHT)
def test_what_help_imports_brings_no_heavy_library(name: str) -> None:
    heavy = {"mlx", "redis", "rq", "lxml", "numpy", "starlette"}
    script = f"import sys, {name}; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == "[]"
