"""The studio's pages: each module answers some addresses by `routes(studio)`."""

from kkoracle.studio.pages import (
    ask,
    dataset,
    overview,
    pairs,
    reports,
    review,
    runs,
    score,
    search,
    stories,
)

OF_ARCHIVE = (overview, stories, search, review, pairs, dataset, runs, ask, reports)
ALWAYS = (score,)  # also in a folder that has no archive
