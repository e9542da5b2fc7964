"""The studio's pages: each module answers some addresses by `routes(studio)`."""

from kkoracle.studio.pages import overview, reports, runs

OF_ARCHIVE = (overview, runs, reports)
ALWAYS = ()  # also in a folder that has no archive
