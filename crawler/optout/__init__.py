"""What a site says against the training of models, shown to the operator before the first crawl.

Being allowed to fetch a page (robots.txt, which the crawl always obeys) is one thing, a wish that
nobody trains on it another. Nobody but the operator can weigh it: a licence, research, the law of
the land. So it is looked for, shown, confirmed once, kept with its date, and asked again when it
changes.
"""
