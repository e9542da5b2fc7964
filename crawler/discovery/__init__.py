"""Lists that sites write for machines: sitemaps and feeds, and looking at them again and again.

They lead to pages through the same rules as links do: scope, kinds, keys, dates wanted. What is
read here is hostile until proven otherwise: no entity is resolved, nothing else is asked for.
"""
