"""The part of `requirements.lock` that some extras need: `python tools/lock.py EXTRA ...`.

pip checks hashes only where every requirement has one, which an editable install and constraints
cannot have. So what is installed is this part of the lock, and then the project without
dependencies:

    python tools/lock.py dev >part.txt
    pip install --require-hashes -r part.txt
    pip install --no-deps --no-build-isolation -e .

`--versions` leaves the hashes out, for pip's `--constraint`. No package is needed to run it. Which
package asks for which stands in the lock, behind `# via`; `make lock` writes it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCK = "requirements.lock"
PROJECT = "kkoracle"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRAS = re.compile(r"\[([^\]]*)\]")


@dataclass(frozen=True)
class LockedPackage:
    """One package of the lock, as it stands there."""

    name: str
    lines: tuple[str, ...]
    asked_by: frozenset[str]

    @property
    def pin(self) -> str:
        """Name, version and marker, without hashes."""
        return self.lines[0].removesuffix("\\").rstrip()


def read_lock(text: str) -> list[LockedPackage]:
    """The packages of a lock that names, behind `# via`, who asks for each."""
    found: list[LockedPackage] = []
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        lines = tuple(line for line in block.splitlines() if "# via" not in line)
        _, _, via = block.partition("# via ")
        names = frozenset(normalized(one) for one in via.split(",") if one.strip())
        found.append(LockedPackage(normalized(block), lines, names))
    return found


def needed(packages: list[LockedPackage], roots: set[str]) -> list[LockedPackage]:
    """These packages, and all that they ask for."""
    known = set(roots)
    while more := {one.name for one in packages if one.asked_by & known} - known - {PROJECT}:
        known |= more
    return [one for one in packages if one.name in known]


def roots_of(project: dict[str, object], extras: list[str]) -> set[str]:
    """What the project and these of its extras ask for themselves."""
    table: dict[str, list[str]] = project["optional-dependencies"]  # type: ignore[assignment]
    pending = [*project["dependencies"]]  # type: ignore[misc]
    for extra in extras:
        if extra not in table:
            sys.exit(f"no extra {extra!r}: there are {', '.join(table)}")
        pending += table[extra]
    found: set[str] = set()
    for one in pending:
        if normalized(one) == PROJECT:
            found |= roots_of(project, [e.strip() for e in _EXTRAS.findall(one)[0].split(",")])
        else:
            found.add(normalized(one))
    return found


def normalized(requirement: str) -> str:
    """The name at the beginning of a requirement, spelled as all indexes spell it."""
    found = _NAME.search(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def main() -> None:
    options = argparse.ArgumentParser(description="The part of the lock that some extras need.")
    options.add_argument("extras", nargs="*")
    options.add_argument("--versions", action="store_true", help="without hashes")
    told = options.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = read_lock((ROOT / LOCK).read_text("utf-8"))
    for one in needed(packages, roots_of(project, told.extras)):
        print(one.pin if told.versions else "\n".join(one.lines))  # noqa: T201


if __name__ == "__main__":
    main()
