"""Gates: what is suspicious about a story, as reason codes (`exchange.marks`). They mark, never
delete. `gates` judges a story by itself; what takes other stories to see (`crawler.duplicates`)
is marked when the story is stored.
"""
