"""Teaching until it is learned: who is shown when, and what is told of those who never learn."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from tests.trainer.conftest import RECIPE, Desk
from tests.trainer.filling import SYLLABLES, fill, town
from tests.trainer.reading import lines, steps, summary
from trainer.dataset import DatasetRow, read_split
from trainer.tokenization import TokenizedSample
from trainer.training.batches import TrainingData
from trainer.training.curriculum import COPIES, REST, Curriculum, Growth
from trainer.training.settings import TrainSettings

ROWS = 203
KNOWN = 120  # the first ones
MANNERS = 10  # the last ones: no facts


def sample(number: int) -> TokenizedSample:
    length = random.Random(number).randint(20, 60)
    return TokenizedSample(str(number), list(range(length)), length - 6, 30)


def curriculum(*, until_learned: bool = True, redrawn: bool = False) -> Curriculum:
    """`redrawn`: the last rows are others in each epoch."""
    rows = [sample(number) for number in range(ROWS)]
    facts = {
        row.id: DatasetRow(row.id, "q", "a", "fact", "s", "s") for row in rows[: ROWS - MANNERS]
    }
    data = TrainingData(rows, rows[:1], rows[:1], [], 0, 0, facts=facts)
    if redrawn:
        last = rows[ROWS - MANNERS :]
        data = replace(
            data, redrawn=lambda epoch: [replace(row, characters=30 + epoch) for row in last]
        )
    return Curriculum(data, TrainSettings(batch=8, accumulate=2, until_learned=until_learned))


def show(taught: Curriculum, epoch: int, growth: Growth, known: int = KNOWN) -> Counter[int]:
    """Go through an epoch in which the first `known` rows are known; how often each was shown."""
    seen: Counter[int] = Counter()
    for step in range(epoch * taught.steps_per_epoch, (epoch + 1) * taught.steps_per_epoch):
        rows = [row for batch in taught.rows_of_step(step) for row in batch]
        seen.update(rows)
        shown = [sample(row) for row in rows]
        hits = [row < known or place > 0 for row in rows for place in range(6)]
        taught.observe(shown, shown, hits, lambda values: values)
    taught.end_epoch(growth, step + 1)
    return seen


def test_what_is_known_rests_and_what_is_not_takes_its_turns_in_as_many_rows() -> None:
    taught, growth = curriculum(), Growth()
    first = show(taught, 0, growth)
    assert first == Counter(dict.fromkeys(range(ROWS), 1))
    assert growth.known == KNOWN
    later = [show(taught, epoch, growth) for epoch in range(1, 1 + REST)]
    for seen in later:
        assert sum(seen.values()) == ROWS
        assert max(seen.values()) <= COPIES
        assert all(seen[row] == 1 for row in range(ROWS - MANNERS, ROWS))
        assert min(seen[row] for row in range(KNOWN, ROWS - MANNERS)) >= 1
        assert sum(seen[row] for row in range(KNOWN, ROWS - MANNERS)) > 1.8 * (
            ROWS - MANNERS - KNOWN
        )
    whole = sum(later, Counter())
    assert {whole[row] for row in range(KNOWN)} == {1}


@pytest.mark.parametrize("until_learned", [False, True])
def test_rows_that_are_drawn_anew_are_shown_as_their_epoch_has_them(until_learned: bool) -> None:
    taught = curriculum(until_learned=until_learned, redrawn=True)
    for epoch in (0, 2, 1):
        steps = range(epoch * taught.steps_per_epoch, (epoch + 1) * taught.steps_per_epoch)
        shown = [row for step in steps for rows in taught.samples_of_step(step) for row in rows]
        assert {row.id: row.characters for row in shown} == {
            str(number): 30 if number < ROWS - MANNERS else 30 + epoch for number in range(ROWS)
        }


def test_where_all_is_known_all_is_repeated_in_turn() -> None:
    taught, growth = curriculum(), Growth()
    for epoch in range(1 + REST):
        seen = show(taught, epoch, growth, known=ROWS)
        assert sum(seen.values()) == ROWS and set(seen.values()) == {1}


def test_what_was_known_and_is_not_any_more_comes_again() -> None:
    taught, growth = curriculum(), Growth()
    show(taught, 0, growth)
    for epoch in range(1, 1 + REST):
        show(taught, epoch, growth, known=0)
    assert growth.known == 0
    seen = show(taught, 1 + REST, growth)
    assert all(seen[row] >= 1 for row in range(ROWS))


def test_a_row_is_rarely_twice_in_one_batch() -> None:
    taught, growth = curriculum(), Growth()
    show(taught, 0, growth)
    batches = [
        batch
        for step in range(taught.steps_per_epoch, 2 * taught.steps_per_epoch)
        for batch in taught.rows_of_step(step)
    ]
    assert sum(len(set(batch)) < len(batch) for batch in batches) <= len(batches) / 4


def test_the_state_put_back_plans_the_same_epochs() -> None:
    taught, growth = curriculum(), Growth()
    show(taught, 0, growth)
    begun = taught.rows_of_step(taught.steps_per_epoch)
    other = curriculum()
    other.restore(taught.arrays())
    assert other.rows_of_step(taught.steps_per_epoch) == begun
    assert [show(taught, e, growth) for e in (1, 2)] == [show(other, e, Growth()) for e in (1, 2)]


def test_without_the_setting_every_row_is_in_every_epoch_once() -> None:
    taught = curriculum(until_learned=False)
    assert not taught.active
    for epoch in range(3):
        rows = [
            row
            for step in range(epoch * taught.steps_per_epoch, (epoch + 1) * taught.steps_per_epoch)
            for batch in taught.rows_of_step(step)
            for row in batch
        ]
        assert sorted(rows) == list(range(ROWS))


def test_growth_waits_for_the_share_and_before_there_is_one_for_the_tokens() -> None:
    growth = Growth()
    for share in (0.3, 0.4, 0.5):
        growth.add(0, share, 100)
    assert growth.waited == 0
    growth.add(0, 0.45, 100)
    assert growth.waited == 1
    for known, share in ((60, 0.8), (60, 0.9), (59, 0.95)):
        growth.add(known, share, 100)
    assert growth.waited == 2 and growth.most == 60 and growth.known == 59


@pytest.fixture
def taught(desk: Desk) -> Desk:
    """With twenty stories, and an answer in each that nobody learns in so few rounds."""
    desk.configure(
        RECIPE.replace("= 12", "= 40") + "epochs = 60\nuntil_learned = true\npatience = 4\n"
    )
    rng = random.Random(5)
    for number in range(20):
        noise = " ".join("".join(rng.choices(SYLLABLES, k=3)) for _ in range(30))
        asked = f"Ποια ήταν στην πόλη {town(number)} η σειρά των λέξεων;"
        fill(desk.archive, 1, first=number, extra=[(asked, noise)])
    desk.cli("dataset", "build")
    return desk


def test_a_run_ends_when_no_more_is_learned_and_names_what_cannot_be(taught: Desk) -> None:
    said = taught.cli("train").stdout
    told = summary(taught.run_folder())
    rows = read_split(taught.dataset, "train")
    assert told["early"] and told["facts"] == len(rows)
    assert steps(taught.run_folder()) < 60 * -(-len(rows) // 8)
    known = [entry for entry in lines(taught.run_folder() / "metrics.jsonl") if "known" in entry]
    assert [entry["epoch"] for entry in known] == list(range(1, 1 + len(known)))
    assert known[0]["known"] < 0.1 * len(rows) < 0.3 * len(rows) < told["known"] < len(rows)
    missed = lines(taught.run_folder() / "unlearned.jsonl")
    assert told["unlearned"] == len(missed) >= 1
    for fact in missed:
        assert fact["rounds"] >= 3 and fact["answer"] != fact["reference"]
    assert "facts known (" in said and "unlearned.jsonl" in said
    assert "ended early: the share of known facts has not grown" in said
