"""Where a crawl stands: progress, heartbeat, coverage, failed pages, and what is left."""
