"""A conversation with the newspaper's model in a terminal: base or tuned, with or without search.

`session` is what was said and how it is saved, `voices` speaks, `passages` finds what is put before
a question, `terminal` reads and prints, `opening` brings them together.
"""
