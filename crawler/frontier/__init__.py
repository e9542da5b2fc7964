"""The file `pages.sqlite`: which pages are known, which are due, and their raw bodies."""
