"""White space as single blanks."""

from __future__ import annotations


def single(text: str) -> str:
    """The words of a text with one blank between them, and none around them.

    >>> single("  δύο\\n λέξεις ")
    'δύο λέξεις'
    """
    # A blank is the only white space that is printable. Seeing that there is nothing to do takes
    # a third of the time of taking a text apart, and in most texts there is nothing to do.
    bare = text.strip(" ")
    return bare if bare.isprintable() and "  " not in bare else " ".join(bare.split())
