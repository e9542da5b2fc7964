"""The same crawl by Scrapy, as a program of its own; it runs in the peer's environment.

    python rival.py URL FOLDER CONCURRENCY fetch|text|know-N [DELAY] [auto]

Links are followed from lists only, robots.txt is obeyed, JOBDIR keeps the state, and pages go to
SQLite: bodies as they came (compressing them is left out, in Scrapy's favour), or with `text` the
text that trafilatura's fast mode finds. `know-N` only writes N addresses into the state, in the
form in which the duplicate filter keeps them. `auto` lets AutoThrottle choose the delay, DELAY
being the least.
"""

# mypy: ignore-errors
import hashlib
import sqlite3
import sys
from pathlib import Path

import scrapy
from scrapy.crawler import CrawlerProcess

URL, FOLDER, CONCURRENCY, MODE = sys.argv[1:5]
DELAY, AUTO = float((sys.argv[5:] or [0])[0]), sys.argv[6:] == ["auto"]
BATCH = 32


class StoryPipeline:
    """One commit for as many pages as ours."""

    def open_spider(self):
        self.db = sqlite3.connect(f"{FOLDER}/stories.sqlite", isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("PRAGMA synchronous=NORMAL")
        self.db.execute("CREATE TABLE IF NOT EXISTS stories (url TEXT PRIMARY KEY, body BLOB)")
        self.waiting = []

    def process_item(self, item):
        self.waiting.append((item["url"], item["body"]))
        if len(self.waiting) >= BATCH:
            self.flush()
        return item

    def flush(self):
        self.db.execute("BEGIN")
        self.db.executemany("INSERT OR REPLACE INTO stories VALUES (?,?)", self.waiting)
        self.db.execute("COMMIT")
        self.waiting.clear()

    def close_spider(self):
        self.flush()
        self.db.close()


class NewspaperSpider(scrapy.Spider):
    name = "newspaper"

    async def start(self):
        yield scrapy.Request(URL + "/", self.parse)

    def parse(self, response):
        for link in response.css("a::attr(href)").getall():
            if link.startswith("/list/"):
                yield response.follow(link, self.parse)
            elif link.startswith("/story/"):
                yield response.follow(link, self.parse_story)

    def parse_story(self, response):
        if MODE == "fetch":
            yield {"url": response.url, "body": response.body}
            return
        from trafilatura import extract

        text = extract(response.text, include_comments=False, fast=True)
        yield {"url": response.url, "body": (text or "").encode()}


def write_seen_requests(count):
    """Two bytes of length and the fingerprint, as `RFPDupeFilter` writes and reads them."""
    path = Path(FOLDER, "job", "requests.seen")
    path.parent.mkdir()
    with path.open("wb") as file:
        for number in range(count):
            seen = hashlib.sha1(f"{URL}/story/{10**7 + number}".encode()).digest()
            file.write(len(seen).to_bytes(2, "big") + seen)


def crawl():
    process = CrawlerProcess(
        {
            "JOBDIR": f"{FOLDER}/job",
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS": int(CONCURRENCY),
            "CONCURRENT_REQUESTS_PER_DOMAIN": int(CONCURRENCY),
            "DOWNLOAD_DELAY": DELAY,
            "AUTOTHROTTLE_ENABLED": AUTO,
            "ITEM_PIPELINES": {StoryPipeline: 100},
            "LOG_LEVEL": "WARNING",
            "TELNETCONSOLE_ENABLED": False,
            "COOKIES_ENABLED": False,
        }
    )
    process.crawl(NewspaperSpider)
    process.start()


if __name__ == "__main__":
    if MODE.startswith("know-"):
        write_seen_requests(int(MODE.removeprefix("know-")))
    else:
        crawl()
