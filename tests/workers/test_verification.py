"""Verification by reading: what is asked again, what is kept of it, and what a threshold does."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import BadFile, NotEnoughData
from exchange.inference.mlx.engine import MlxEngine
from exchange.project import Project
from exchange.records import Pair
from exchange.store.review import Label, Review
from exchange.store.spool import Spool
from tests.conftest import run_cli
from tests.exchange.inference.test_mlx_engine import ask, until_done
from tests.workers.endpoint import Endpoint, answer_about, number_of
from workers.verify import scores, threshold
from workers.verify.threshold import LabelledSignals, VerificationModel

AGAIN = "\n\nΕρώτηση: "  # begins what is asked after a chunk, when a pair is read back
TEXT = (
    "The bridge at Petra cost 240 thousand euros, said Eleni Karatza. The school of Lefka cost "
    "95 thousand. Nikos Vasilas opened both."
)


@pytest.mark.parametrize(
    ("again", "agrees"),
    [
        ("240 thousand euros", 1.0),
        ("It cost 240 thousand euros.", 1.0),
        ("95 thousand", 0.0),
        ("What did the bridge at Petra cost?", 0.0),  # an echo says nothing
        ("", 0.0),
    ],
)
def test_a_second_answer_agrees_by_what_it_adds_to_the_question(again: str, agrees: float) -> None:
    found = scores.agreement(
        "What did the bridge at Petra cost?", "It cost 240 thousand euros.", again, "en"
    )
    assert found == agrees


def test_other_answers_hold_another_value_of_the_same_sort() -> None:
    number = scores.alternatives("What did the bridge at Petra cost?", "240 thousand euros.", TEXT)
    assert number == ["95 thousand euros."]
    name = scores.alternatives("Who opened the bridge?", "It was Nikos Vasilas.", TEXT)
    assert "It was Eleni Karatza." in name and "It was Nikos Vasilas." not in name
    assert not scores.alternatives("Did Nikos Vasilas open it?", "Yes, he did.", TEXT)


def test_what_is_kept_of_a_chunk_changes_no_answer_and_no_likelihood(tiny_model: Path) -> None:
    """The texts and likelihoods of follow-ups are those of an engine that remembers nothing."""
    keeps = MlxEngine(tiny_model, name="tiny", width=4, cache_bytes=64 << 20)
    plain = MlxEngine(tiny_model, name="tiny", width=4)
    chunks = ["Η γέφυρα κόστισε 240.000 ευρώ.", "Το σχολείο της Πέτρας άνοιξε στις 3 Μάη 2008."]
    for engine in (keeps, plain):
        until_done(engine, [engine.submit(ask(chunk), 6, 0) for chunk in chunks])
    for chunk in chunks:
        messages = ask(f"{chunk}\n\nΑπάντησε μόνο σε αυτό: πόσο;")
        answers = ["240.000 ευρώ.", "31 χρόνια."]
        found, wanted = (
            [one.logprob for one in engine.loglikelihood([messages] * 2, answers)]
            for engine in (keeps, plain)
        )
        assert found == pytest.approx(wanted, abs=1e-3)
        ticket, other = keeps.follow_up(messages, 8), plain.submit(messages, 8, 0)
        followed, fresh = until_done(keeps, [ticket])[ticket], until_done(plain, [other])[other]
        assert followed.text == fresh.text


def test_a_follow_up_goes_ahead_of_those_that_wait(tiny_model: Path) -> None:
    engine = MlxEngine(tiny_model, name="tiny", width=1)
    waiting = [engine.submit(ask(f"Κείμενο {n}."), 4, 0) for n in range(3)]
    last = engine.follow_up(ask("Και αυτό;"), 2)
    ended: list[int] = []
    while len(ended) < 4:
        ended += [output.ticket for output in engine.step()]
    assert ended == [last, *waiting]


def reply(prompt: str) -> str:
    """Pairs for a chunk; asked again, the right answer to even numbers alone."""
    chunk, again, _ = prompt.partition(AGAIN)
    if not again:
        return answer_about(prompt)
    number = number_of(chunk)
    return f"Ο αριθμός {number}." if int(number) % 2 == 0 else "Ο αριθμός 999."


def digits(pair: Pair) -> int:
    return int("".join(filter(str.isdigit, pair.answer)))


def stored(project: Project) -> list[Pair]:
    spool = Spool.read(project.archive_dir())
    try:
        return [Pair.from_json(row[0]) for row in spool.db.execute("SELECT record FROM pairs")]
    finally:
        spool.close()


def test_accepted_pairs_are_read_back_and_keep_what_was_found(
    open_pipeline: Callable[..., Any],
) -> None:
    with open_pipeline(12, endpoint=Endpoint(reply=reply)) as pipeline:
        worker = pipeline.start_worker("--burst", KKORACLE_WORK_VERIFY="true")
        assert pipeline.until_done()["tasks.done"] == 12
        assert worker.wait(20) == 0
        accepted = [pair for pair in stored(pipeline.project) if pair.status == "accepted"]
        assert len(accepted) == 12
        for pair in accepted:
            assert pair.scores == {"round_trip": float(digits(pair) % 2 == 0)}
        again = [
            body for body in pipeline.endpoint.bodies if AGAIN in body["messages"][-1]["content"]
        ]
        assert len(again) == 12
        shared = again[0]["messages"][-1]["content"].partition(AGAIN)[0]
        assert any(
            body["messages"][-1]["content"] == shared.strip() for body in pipeline.endpoint.bodies
        )  # it begins as the request that made the pair


def test_a_threshold_is_fitted_on_labels_and_applied_by_recheck(
    open_pipeline: Callable[..., Any],
) -> None:
    with open_pipeline(80, endpoint=Endpoint(reply=reply)) as pipeline:
        pipeline.start_worker("--burst", KKORACLE_WORK_VERIFY="true").wait(60)
        pipeline.until_done()
        project = pipeline.project
    refused = run_cli("recheck", "--fit", "--yes", cwd=project.data.parent)
    assert refused.returncode == 1 and "dataset review" in refused.stderr
    review = Review.open(project.archive_dir())
    by_number = sorted(stored(project), key=lambda pair: len(pair.answer) * 1000 + digits(pair))
    for pair in by_number[:70]:
        right = pair.scores["round_trip"] == 1
        review.add_label(Label(pair_id=pair.id, verdict="accept" if right else "reject"))
    review.close()
    done = run_cli("recheck", "--fit", "--yes", cwd=project.data.parent)
    assert done.returncode == 0, done.stderr
    assert "keeps 100% of the right pairs and 0% of the wrong ones" in " ".join(done.stdout.split())
    labelled = {pair.id for pair in by_number[:70]}
    unlabelled = [pair for pair in stored(project) if pair.id not in labelled]
    assert {pair.scores["round_trip"] for pair in unlabelled} == {0.0, 1.0}
    for pair in unlabelled:  # the signals are kept, and decide
        right = pair.scores["round_trip"] == 1
        assert (pair.status, pair.reason) == (
            ("accepted", "") if right else ("rejected", "unverified")
        )


def test_what_is_promised_was_seen_on_pairs_without_a_part_in_the_fit() -> None:
    chance = random.Random(3)
    labelled = []
    for number in range(600):
        right = chance.random() < 0.5
        signals = {
            "round_trip": float(chance.random() < (0.9 if right else 0.4)),
            "contrast": chance.gauss(2 if right else 0, 2),
            "likelihood": chance.gauss(-1, 0.5),
        }
        labelled.append(LabelledSignals(signals, right, f"s{number // 3}"))
    found = threshold.fit(labelled)
    assert 0.75 < found.area < 0.95
    assert 0.90 <= found.right_kept <= 0.99
    assert found.wrong_kept < 0.8
    noise = [one._replace(right=chance.random() < 0.5) for one in labelled]
    assert 0.4 < threshold.fit(noise).area < 0.6  # on its own half it would be over 0.5


def test_too_few_labels_and_damaged_files_are_told(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughData, match="30 of each"):
        threshold.fit([LabelledSignals({"round_trip": 1.0}, True, "s")] * 50)
    assert VerificationModel.load(tmp_path) is None
    for damaged in ("{", "{}", '{"weights": [1], "threshold": 0.5}'):
        (tmp_path / threshold.FILE).write_text(damaged)
        with pytest.raises(BadFile, match="fit it anew"):
            VerificationModel.load(tmp_path)
