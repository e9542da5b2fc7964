"""A crawl in a process of its own, to be killed: python -m tests.crawler.child FOLDER URL DELAY"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.crawler.house import crawling, settings


def main() -> int:
    folder, url, delay = Path(sys.argv[1]), sys.argv[2], float(sys.argv[3])
    return asyncio.run(crawling(folder, settings(folder, url, delay=delay)))


if __name__ == "__main__":
    raise SystemExit(main())
