"""Learn a profile from pages: what changes from page to page is content, what repeats is not.

`sample` gets a few dozen pages, `units` cuts them into runs of text, `labels` says which are of the
story, `xpaths` names elements, `coverage` weighs what an XPath gathers. `propose` groups pages of
one layout; of each, `body` finds the text and what is cut out of it, `fields` and `authors` the
rest. `addresses` tells the kinds of links, `command` shows before and after and writes the profile.
Nothing here is particular to a newspaper, and nothing runs during a crawl.
"""
