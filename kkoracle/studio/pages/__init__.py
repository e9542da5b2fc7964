"""The studio's pages: each module answers some addresses by `routes(studio)`."""

from kkoracle.studio.pages import overview

OF_ARCHIVE = (overview,)
ALWAYS = ()  # also in a folder that has no archive
