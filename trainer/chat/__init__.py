"""A conversation with the newspaper's model in a terminal: base or tuned, with or without search.

`session` is the conversation and its models, `terminal` reads and prints, `load` brings together
models, search and persona.
"""
