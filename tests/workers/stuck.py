"""`workers.run` whose engine hangs once: at its first step with work, if no earlier run did."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from workers import run
from workers.engines.mlx_batch import Batch, Row

MARK = "KKORACLE_TEST_STUCK"

if __name__ == "__main__":
    step = Batch.step

    def stuck(batch: Batch) -> list[tuple[Row, str]]:
        mark = Path(os.environ[MARK])
        if batch.rows and not mark.exists():
            mark.touch()
            time.sleep(600)  # as a GPU that hangs: the interpreter goes on, the call never returns
        return step(batch)

    Batch.step = stuck  # type: ignore[method-assign]
    sys.exit(run.main())
