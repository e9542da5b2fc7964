"""The bench of text: what its two figures count, and that they are those of the real reader."""

from __future__ import annotations

from bench.text import encoded, portal_layout, shapes
from bench.text.measures import WordTally, worst
from kkoracle.demo.newspaper import build_newspaper

PRINTED = ("Ένα δύο τρία.", "Τέσσερα  πέντε.")


def test_a_paragraph_counts_when_all_of_it_stands_there_in_one_piece() -> None:
    tally = WordTally()
    tally.add(PRINTED, "Μενού\nΈνα δύο\n τρία.\nΤέσσερα και πέντε.")
    assert (tally.printed, tally.found, tally.recall) == (2, 1, 0.5)


def test_words_beyond_those_printed_are_too_many_repetitions_too() -> None:
    tally = WordTally()
    tally.add(PRINTED, "Ένα Ένα δύο τρία. Τέσσερα πέντε. Διαβάστε ακόμη")
    assert (tally.more, tally.words, tally.extra) == (3, 5, 0.6)


def test_the_worst_counts_of_each_figure_by_itself() -> None:
    assert worst([WordTally(10, 9, 10, 0), WordTally(10, 10, 10, 3)]) == (0.9, 0.3)


def test_the_profile_reads_every_shape_exactly_and_the_peer_is_measured_beside_it() -> None:
    figures = shapes.measure(build_newspaper(7, 60))
    assert figures["paragraph_recall"] == figures["stories_right"] == 1.0
    assert figures["extra"] == 0.0
    assert set(figures["shapes"]) == {"tables", "storybody", "several", "modern"}
    assert figures["trafilatura_fast_recall"] <= figures["trafilatura_recall"] < 0.995
    assert figures["trafilatura_extra"] > 0.1


def test_all_seven_encodings_and_all_twelve_months_are_read_right() -> None:
    charsets, months = encoded.charsets(), encoded.months()
    assert (len(charsets), len(months)) == (7, 12)
    assert all(charsets.values()) and all(months.values())


def test_the_layout_kept_aside_prints_each_story_whole_at_its_own_address() -> None:
    stories = list(build_newspaper(7, 60).stories)
    site = portal_layout.site(stories)
    for story in stories:
        page = site[portal_layout.url(story)].replace("&laquo;", "«")
        assert all(text.replace("&", "&amp;") in page for text in portal_layout.paragraphs(story))
