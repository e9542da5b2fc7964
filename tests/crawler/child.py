"""A crawl in a process of its own, to be killed or measured. It prints its largest memory in MB.

python -m tests.crawler.child FOLDER URL DELAY [CONCURRENCY]
"""

from __future__ import annotations

import asyncio
import resource
import sys
from pathlib import Path

from tests.crawler.harness import run_crawl, settings


def main() -> int:
    folder, url, delay = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    changes = {"concurrency": int(sys.argv[4])} if sys.argv[4:] else {}
    code = asyncio.run(run_crawl(folder, settings(folder, url, delay=delay, **changes)))
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(used // (2**20 if sys.platform == "darwin" else 2**10))
    return code


if __name__ == "__main__":
    raise SystemExit(main())
