"""Records: what goes out comes back, and what is not a record is refused by name."""

from __future__ import annotations

import orjson
import pytest

from exchange.errors import BadRecord
from exchange.records import Chunk, Pair, Result, Story, Task
from exchange.text.fold import fold, words
from tools.completions import made_up_completion

TASK = Task(
    id="a" * 24,
    archive="paper",
    kind="chunk",
    chunk_ids=("c1",),
    recipe="abcdef",
    text="κείμενο",
    header="κεφαλίδα",
)
PAIR = Pair(
    id="p",
    task_id=TASK.id,
    chunk_ids=("c1",),
    question="Πότε;",
    answer="Το 1999.",
    kind="time",
    status="accepted",
    scores={"x": 1.0},
)
DONE = made_up_completion(TASK.id, "…", tokens_in=1)


@pytest.mark.parametrize(
    "record",
    [
        TASK,
        PAIR,
        DONE,
        Story(
            id="s",
            url="http://x",
            archive="paper",
            published="2010-01-02",
            section="Πόλη",
            title="Τ",
            author="",
            text="κείμενο",
            words_expected=12,
        ),
        Chunk("c", "s", 0, "κείμενο", "κεφαλίδα"),
        Result.of(DONE, "paper", (PAIR,)),
        Result(TASK.id, "paper", "poison"),
    ],
)
def test_a_record_survives_json(record: object) -> None:
    again = type(record).from_json(record.to_json())  # type: ignore[attr-defined]
    assert again.to_json() == record.to_json()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b'{"id": 1}', "'id'"),
        (TASK.to_json().replace(b'"kind":"chunk"', b'"kind":"other"'), "'kind'"),
        (TASK.to_json().replace(b'"recipe"', b'"surprise"'), "'surprise'"),
        (TASK.to_json().replace(b'"recipe":"abcdef",', b""), "'recipe'"),
        (TASK.to_json().replace(b'"given":{}', b'"given":{"question":5}'), "'given"),
        (TASK.to_json().replace(b'"chunk"', b'"refusal"'), "question"),
        (TASK.to_json().replace(b'"paper"', b'"../paper"'), "'archive'"),
        (TASK.to_json().replace(TASK.id.encode(), b"a\\n"), "'id'"),
        (TASK.to_json().replace(b'["c1"]', b"[1]"), "chunk_ids"),
    ],
)
def test_a_misshapen_task_is_refused_by_field(data: bytes, word: str) -> None:
    with pytest.raises(BadRecord, match=word):
        Task.from_json(data)


def test_a_result_checks_the_pairs_and_the_completion_inside_it() -> None:
    good = Result.of(DONE, "paper", (PAIR,)).to_json()
    with pytest.raises(BadRecord, match="status"):
        Result.from_json(good.replace(b'"accepted"', b'"perhaps"'))
    with pytest.raises(BadRecord, match="tokens_in"):
        Result.from_json(good.replace(b'"tokens_in":1', b'"tokens_in":"1"'))
    with pytest.raises(BadRecord, match="neither"):
        Result.from_json(b'{"task_id": "%s", "archive": "a"}' % TASK.id.encode())
    with pytest.raises(BadRecord, match="'x'"):
        Result.from_json(
            b'{"task_id": "%s", "archive": "a", "failed": "f", "x": 1}' % TASK.id.encode()
        )
    with pytest.raises(BadRecord, match="another task"):
        Result.from_json(
            good.replace(b'"task_id":"%s"' % TASK.id.encode(), b'"task_id":"t"', 2).replace(
                b'"task_id":"t"', b'"task_id":"%s"' % TASK.id.encode(), 1
            )
        )


def test_a_record_is_the_same_bytes_as_ever() -> None:
    assert Result.of(DONE, "paper", (PAIR,)).to_json() == orjson.dumps(
        {
            "task_id": TASK.id,
            "archive": "paper",
            "failed": "",
            "completion": DONE.to_dict(),
            "pairs": [PAIR.to_dict()],
        }
    )
    assert TASK.to_json().decode() == (
        '{"id":"aaaaaaaaaaaaaaaaaaaaaaaa","archive":"paper","kind":"chunk","chunk_ids":["c1"],'
        '"recipe":"abcdef","text":"κείμενο","header":"κεφαλίδα","language":"el","given":{}}'
    )


def test_a_chunk_keeps_its_id_when_accents_or_its_place_change() -> None:
    assert Chunk.make_id("s", "Άλλη  Μέρα") == Chunk.make_id("s", "αλλη μερα")
    assert Chunk.make_id("s", "μέρα") != Chunk.make_id("t", "μέρα")


def test_parts_of_an_id_cannot_run_together() -> None:
    assert Task.make_id("chunk", ("ab",), "c") != Task.make_id("chunk", ("a",), "bc")


def test_folding_ignores_accents_case_final_sigma_and_white_space() -> None:
    assert fold("Ο  ΆΝΘΡΩΠΟΣ\nκαι ο ΐδιος") == fold("ο ανθρωπος ΚΑΙ Ο ιδιοσ")
    assert words("Ξηρο-ποταμός, 12ος!") == ["ξηρο", "ποταμοσ", "12οσ"]
