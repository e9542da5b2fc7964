"""The studio's pages: each module answers some addresses by `routes(studio)`."""

from kkoracle.studio.pages import overview, pairs, reports, review, runs

OF_ARCHIVE = (overview, review, pairs, runs, reports)
ALWAYS = ()  # also in a folder that has no archive
