"""The crawler: a newspaper's web archive goes in, clean stories and chunks come out.

frontier -> politeness -> fetch -> raw store (`pages.sqlite`) -> extract -> chunk -> spool.
Politeness bounds this room, not the CPU: a page is asked for once, kept as it came, and
extracted again from disk whenever the profile improves. It knows nothing about models.
"""
