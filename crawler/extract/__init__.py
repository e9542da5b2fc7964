"""From a stored page to stories and chunks, in processes of their own, from disk alone.

`page` is the pure function; `pool` runs it where a page that hangs cannot stop the crawl;
`thread` carries what it yields into the spool.
"""
