"""A morning on a small disk of its own that is filled under it, and emptied once it waits.

python -m tests.kkoracle.live.full_disk FOLDER MODEL [fill]
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import orjson

from tests.kkoracle.live.test_mornings import CONFIG, steps
from tests.trainer.conftest import Desk
from tests.trainer.filling import fill

LEAST_MB = 4


def main(folder: Path, model: Path, *, filled: bool) -> None:
    """Prints what was said and which steps were taken, as JSON."""
    desk = Desk(folder, model)
    desk.configure(CONFIG.replace("epochs = 24", "epochs = 1"))
    with (folder / "kkoracle.toml").open("a", encoding="utf-8") as config:
        config.write(f"[crawl]\nmin_free_mb = {LEAST_MB}\n")
    fill(desk.archive, 12)
    ballast, said = folder / "ballast", list[str]()

    def watch() -> None:
        if not said and filled:  # a step is under way
            said.append("filled")
            ballast.write_bytes(bytes(shutil.disk_usage(folder).free - 8_192))
        elif any("waits" in line for line in said):
            ballast.unlink(missing_ok=True)

    with steps(desk) as some:
        some = replace(some, say=lambda text: said.append(text) if said else None, watch=watch)
        morning = some.finish(some.begin(36, 12))
    told = {"said": said, "steps": [*morning.steps], "version": morning.about("built")["version"]}
    sys.stdout.write(orjson.dumps(told).decode() + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), filled="fill" in sys.argv[3:])
