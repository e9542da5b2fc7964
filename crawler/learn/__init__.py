"""Learn a profile from pages: what changes from page to page is content, what repeats is not.

`sample` gets a few dozen pages, `units` cuts them into runs of text, `layouts` groups those that
look alike. For each layout `labels` weighs the runs and `body` finds the text: by `candidates` and
their `coverage`, without the `tails` of readers' comments, with the `cuts` to be made. `fields`
finds headline, date, section and author, `several` the element of each story. `addresses` tells
the kinds of links, `propose` makes a profile of it all, `toml` writes it, `show` shows before and
after. Nothing here is particular to a newspaper, and nothing runs during a crawl.
"""
