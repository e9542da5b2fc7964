"""Who may know whom: exchange imports no stage, no stage imports another, mlx stays where it is."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = {"crawler", "workers", "trainer"}
ALLOWED = {
    "exchange": {"exchange"},
    "crawler": {"exchange", "crawler"},
    "workers": {"exchange", "workers"},
    "trainer": {"exchange", "trainer"},
    "kkoracle": {"exchange", "kkoracle", *STAGES},
}
OURS = set(ALLOWED)


def imports_of(path: Path, *, top_level: bool = False) -> set[str]:
    """The dotted names a file imports; with `top_level` only those that importing it runs."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module or "")
        if top_level and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if top_level and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        pending.extend(ast.iter_child_nodes(node))
    return found


def files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_floor_imports_only_what_it_may_know(package: str) -> None:
    assert files(package)
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(package)
        for name in imports_of(path)
        if name.partition(".")[0] in OURS - ALLOWED[package]
    }
    assert not wrong


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_only_modules_that_say_so_import_mlx_when_imported(package: str) -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files(package)
        for name in imports_of(path, top_level=True)
        if name.partition(".")[0] in {"mlx", "mlx_lm", "torch"}
        and path.parent not in (ROOT / "trainer" / "training", ROOT / "exchange/inference/mlx")
    }
    assert not wrong
