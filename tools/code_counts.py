"""What the shape of the code is worth in numbers: `python tools/code_counts.py [--root DIR]`.

Reads the source as text and syntax trees and imports nothing of it, so that an older checkout can
be counted beside this one. `tests/test_architecture.py` holds the numbers to their limits.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

ROOMS = ("exchange", "crawler", "workers", "trainer", "kkoracle")
BESIDE = ("bench", "tools")
SMALL = 60  # lines; a smaller module with one importer should be a part of that importer
BASES = {"UserError", "Exception", "RuntimeError"}  # errors that say no more than "it failed"
DECODERS = re.compile(
    r"BatchGenerator\(|\bmake_prompt_cache\(|\bmx\.random\.categorical\(|\bgenerate_step\(|"
    r"\bKVCache\(|\bstream_generate\("
)

# Seconds made into minutes or hours within a text.
DURATIONS = r"\{[^{}]*/ ?(?:60|3_?600|86_?400)\b[^{}]*\}|divmod\([^)]*, ?(?:60|3_?600)\)"


@dataclass(frozen=True, slots=True)
class Counts:
    """One checkout in numbers; product files are those of the five rooms."""

    files: int
    lines: int
    bench_and_tools_lines: int
    duplicated_class_names: int
    formatter_overruled: int
    import_circles: int
    small_with_one_importer: int
    files_at_top: dict[str, int]
    raises_of_a_base_class: int
    atomic_writes: list[str]
    duration_formatters: list[str]
    prompt_loaders: list[str]
    rooms_that_decode: list[str]


def count(root: Path) -> Counts:
    """The numbers of the checkout at `root`."""
    files = [path for room in ROOMS for path in sorted((root / room).rglob("*.py"))]
    beside = [path for room in BESIDE for path in sorted((root / room).rglob("*.py"))]
    trees = {path: ast.parse(path.read_text("utf-8")) for path in [*files, *beside]}
    graph = _imports(root, {path: trees[path] for path in files})
    return Counts(
        files=len(files),
        lines=_lines(files),
        bench_and_tools_lines=_lines(beside),
        duplicated_class_names=len(duplicated_classes(trees)),
        formatter_overruled=sum(
            len(re.findall(r"#\s*fmt:\s*(?:skip|off)", path.read_text("utf-8")))
            for path in root.rglob("*.py")
            if ".venv" not in str(path) and path != Path(__file__).resolve()
        ),
        import_circles=len(circles(graph)),
        small_with_one_importer=len(small_with_one_importer(root, graph)),
        files_at_top={room: len(list((root / room).glob("*.py"))) for room in ROOMS},
        raises_of_a_base_class=sum(_raises(trees[path]) for path in files),
        atomic_writes=_holding(
            root, files, r"\bos\.replace\(|\b(?:new|temporary|partial)\.replace\("
        ),
        duration_formatters=_holding(root, files, DURATIONS),
        prompt_loaders=_holding(root, files, r'f"\{(?:name|kind)\}\.txt"'),
        rooms_that_decode=sorted(
            {str(path.parent.relative_to(root)) for path in files if _decodes(path)}
        ),
    )


def duplicated_classes(trees: dict[Path, ast.Module]) -> dict[str, list[Path]]:
    """Class name to the files that define it, of those names that several define."""
    found: dict[str, list[Path]] = {}
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(path)
    return {name: paths for name, paths in found.items() if len(paths) > 1}


def circles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Groups of modules that import each other in a circle (Tarjan 1972, strongly connected)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(start: str) -> None:
        work: list[tuple[str, Iterator[str]]] = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while work:
            node, rest = work[-1]
            for other in rest:
                if other not in index:
                    index[other] = low[other] = len(index)
                    stack.append(other)
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    group = set(stack[stack.index(node) :])
                    del stack[stack.index(node) :]
                    if len(group) > 1:
                        found.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def small_with_one_importer(root: Path, graph: dict[str, set[str]]) -> list[str]:
    """Modules under `SMALL` lines that one other module imports; commands and faces are none."""
    importers = Counter(name for uses in graph.values() for name in uses)
    return sorted(
        name
        for name in graph
        if importers[name] == 1
        and (path := root / (name.replace(".", "/") + ".py")).is_file()
        and _lines([path]) < SMALL
    )


def _imports(root: Path, trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Module to the modules it imports anywhere, type imports and those in functions included."""
    names = {_module(root, path): path for path in trees}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for name, path in names.items():
        for node in ast.walk(trees[path]):
            if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    graph[name].add(inner if inner in names else node.module)
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names}
        graph[name] = {other for other in graph[name] & set(names) if other != name}
    return graph


def _module(root: Path, path: Path) -> str:
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def _lines(files: list[Path]) -> int:
    return sum(len(path.read_text("utf-8").splitlines()) for path in files)


def _raises(tree: ast.Module) -> int:
    return sum(
        isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in BASES
        for node in ast.walk(tree)
    )


def _holding(root: Path, files: list[Path], pattern: str) -> list[str]:
    expression = re.compile(pattern)
    return [
        str(path.relative_to(root)) for path in files if expression.search(path.read_text("utf-8"))
    ]


def _decodes(path: Path) -> bool:
    return bool(DECODERS.search(path.read_text("utf-8")))


def main() -> None:
    """Print the numbers of a checkout as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    sys.stdout.write(json.dumps(asdict(count(parser.parse_args().root.resolve())), indent=2) + "\n")


if __name__ == "__main__":
    main()
