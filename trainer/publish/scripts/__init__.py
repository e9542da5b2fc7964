"""Scripts for other Pythons than ours; their folder is on the path, so nothing else lies here."""
