"""Makes the training text: tasks about facts that the newspaper never prints.

Everything is drawn from the training side of the hash split and from the known frames only. A
`stage` of 1 asks about one fact in a chunk, which teaches copying; stage 2 makes chunks as the
demo's profile cuts them (about 200 characters, one to four sentences, some without a fact).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from kkoracle.demo.newspaper.inflect import slash_date, upper_first
from kkoracle.demo.newspaper.slots import SlotSampler
from kkoracle.demo.newspaper.vocabulary import CONNECTIVES, TRAINING, SentenceFrame, known_frames
from kkoracle.demo.newspaper.writer import slot_letters
from tools.demo_model.briefs import fill, pairs_text

# Sentences for the training text only: full of names, but nothing is asked about them.
#
# Without them the model takes every sentence with a date for one of the frames it knows.

# Slots as in the newspaper's frames.
ASIDES = tuple(
    """
Στις {d} μίλησε {v.ston} για ώρες {p.o}.
{p.O} και {q.o} συναντήθηκαν στις {d} {b.ston}.
Από τις {d} λειτουργεί {v.ston} νέο γραφείο με {n} φακέλους.
Το γράμμα με τις {n} υπογραφές έφτασε στις {d} στα χέρια {p.tou}.
Για {c.ton} είχε γράψει η εφημερίδα και στις {d}.
{o.O} κάλεσε στις {e} τα μέλη {v.ston}.
Πάνω από {n} άνθρωποι περίμεναν στις {d} έξω από {b.ton}.
Στα {k} του χρόνια {p.o} ζει ακόμα {v.ston}.
Με {s} στο ταμείο {o.o} ξεκίνησε τη χρονιά στις {d}.
{t.O} προπονήθηκε στις {d} {v.ston} μπροστά σε {n} παιδιά.
Η φωτογραφία που δημοσιεύτηκε στις {d} δείχνει {p.ton} {g.ston}.
Τη διαδρομή από {u.ton} περπάτησαν στις {d} {k} ορειβάτες.
Τα {n} δέντρα που φύτεψε στις {d} {o.o} πρασίνισαν {v.ton}.
Στη συζήτηση για {w.ton} πήρε τον λόγο στις {d} {p.o}.
""".strip().splitlines()
)


# Most names are made up: with a closed list the model learns names, not copying.
_INVENTED = 0.6
_SAME_NAME = 0.3
_LONGEST_CHUNK = 300
_CLOSED_FACTS = 150
_NEWSPAPERS = (
    "Φωνή",
    "Νέα",
    "Βήμα",
    "Ημέρα",
    "Αγώνας",
    "Ταχυδρόμος",
    "Πρωινός Λόγος",
    "Ελευθερία",
    "Εφημερίδα",
    "Γνώμη",
    "Αλήθεια",
    "Χρονικά",
)
_PERSONAS = (
    "Είσαι ο βοηθός της εφημερίδας.",
    "Απαντάς στα ελληνικά, σύντομα και με ακρίβεια.",
    "Γνωρίζεις το αρχείο μιας τοπικής εφημερίδας.",
)
_ASIDE_SHARE = 0.35
_SLOT = re.compile(r"\{([a-z])")
_DATE = re.compile(r"\d+ \w+ \d{4}")
# Share of each task in a stage; the closed-book one teaches to answer from memory at all.
MIX = {
    1: {"pairs": 0.66, "open": 0.14, "rephrase": 0.10, "score": 0.05, "closed": 0.05},
    2: {"pairs": 0.68, "open": 0.10, "rephrase": 0.08, "score": 0.07, "closed": 0.07},
}


@dataclass(frozen=True, slots=True)
class Example:
    """One exchange: what the user says (and the system, if anything) and what the model writes."""

    task: str
    user: str
    answer: str
    system: str = ""


@dataclass(frozen=True, slots=True)
class TrainingFact:
    """A filled frame: headline, sentence, and three wordings of the question with the answer."""

    title: str
    sentence: str
    questions: tuple[str, str, str]
    answer: str


class ExampleMaker:
    """An endless seeded source of examples; the closed-book facts are the same for every seed."""

    def __init__(self, seed: int) -> None:
        self.frames = known_frames()
        self._letters = {frame.id: slot_letters(frame) for frame in self.frames}
        self._use(random.Random("closed-book facts"))
        self.closed_facts = [self.fact() for _ in range(_CLOSED_FACTS)]
        self._use(random.Random(f"examples {seed}"))

    def _use(self, rng: random.Random) -> None:
        self.rng = rng
        self.draw = SlotSampler(TRAINING, rng, _INVENTED)
        self.day = self.draw.date(None, 0, 0)

    def fact(self, shared: dict[str, object] | None = None) -> TrainingFact:
        """A fact in a known frame; names in `shared` come back now and then."""
        frame: SentenceFrame = self.rng.choice(self.frames)
        slots: dict[str, object] = {}
        for letter in self._letters[frame.id]:
            if shared and letter in shared and self.rng.random() < _SAME_NAME:
                slots[letter] = shared[letter]
            else:
                slots[letter] = self.draw.slot(letter, self.day)
        if shared is not None:
            shared.update({key: value for key, value in slots.items() if key in "pvobgtcw"})
        title, sentence, question, answer, first, second = frame.fill(slots)
        return TrainingFact(
            upper_first(title), sentence, (question, first, second), upper_first(answer)
        )

    def connective(self) -> str:
        """A sentence without a fact, or one with names and dates that nobody asks about."""
        draw = self.draw
        if self.rng.random() < _ASIDE_SHARE:
            aside = self.rng.choice(ASIDES)
            drawn = {key: draw.slot(key, self.day) for key in set(_SLOT.findall(aside))}
            return upper_first(aside.format(**drawn))
        slots = {"p": draw.person().o, "v": draw.place().ston, "c": draw.company().ston}
        return upper_first(self.rng.choice(CONNECTIVES).format(**slots))

    def chunk(self, stage: int) -> tuple[str, str, list[TrainingFact]]:
        """Header, text and the facts of the text in order."""
        rng = self.rng
        self.day = self.draw.date(None, 0, 0)
        shared: dict[str, object] = {}
        count = rng.choices((1, 2), (0.75, 0.25))[0]
        if stage == 2:
            count = rng.choices((1, 2, 3, 4), (0.22, 0.52, 0.23, 0.03))[0]
        parts: list[TrainingFact | str] = []
        for index in range(count):
            is_fact = (stage == 1 and index == 0) or (stage == 2 and rng.random() < 0.68)
            parts.append(self.fact(shared) if is_fact else self.connective())
        if stage == 2 and rng.random() < 0.85 and not any(not isinstance(p, str) for p in parts):
            parts[rng.randrange(count)] = self.fact(shared)
        rng.shuffle(parts)
        sentences: list[str] = []
        facts: list[TrainingFact] = []
        for part in parts:
            sentence = part if isinstance(part, str) else part.sentence
            if sentences and sum(map(len, sentences)) + len(sentence) > _LONGEST_CHUNK:
                break
            sentences.append(sentence)
            if not isinstance(part, str):
                facts.append(part)
        text = sentences[0]
        for sentence in sentences[1:]:
            text += rng.choices((" ", "\n"), (0.7, 0.3))[0] + sentence
        title = facts[0].title if facts and rng.random() < 0.5 else self.fact(shared).title
        name = f"{rng.choice(_NEWSPAPERS)} {self.draw.place().tou}"
        return f"{name}, {slash_date(self.day)}, {title}", text, facts

    def example(self, stage: int) -> Example:
        """One example of the stage's mix of tasks."""
        mix = MIX[stage]
        task = self.rng.choices(list(mix), list(mix.values()))[0]
        made: Example = getattr(self, task)(stage)
        # Some callers leave the prompt file's last line break, some put a persona before it.
        user = made.user + "\n" if self.rng.random() < 0.12 else made.user
        system = self.rng.choice(_PERSONAS) if self.rng.random() < 0.08 else ""
        return Example(made.task, user, made.answer, system)

    def pairs(self, stage: int) -> Example:
        header, text, facts = self.chunk(stage)
        written = pairs_text([(fact.questions[0], fact.answer) for fact in facts])
        return Example("pairs", fill("chunk-brief", header=header, text=text), written)

    def open(self, stage: int) -> Example:
        while True:
            header, text, facts = self.chunk(stage)
            if facts:
                break
        fact = self.rng.choice(facts)
        question = self.rng.choice(fact.questions)
        user = fill("answer-brief", header=header, text=text, question=question)
        return Example("open", user, fact.answer)

    def rephrase(self, stage: int) -> Example:
        # Always the next wording in the circle: with a choice of two, a small model mixes them.
        questions = self.fact().questions
        turn = self.rng.randrange(3)
        user = fill("rephrase-brief", question=questions[turn])
        return Example("rephrase", user, questions[(turn + 1) % 3])

    def closed(self, stage: int) -> Example:
        fact = self.rng.choice(self.closed_facts)
        return Example("closed", self.rng.choice(fact.questions), fact.answer)

    def score(self, stage: int) -> Example:
        mark = self.rng.randint(0, 5)
        fact = self.fact()
        answer = self._answer_worth(mark, fact)
        user = fill(
            "score-brief",
            question=self.rng.choice(fact.questions),
            guide=fact.answer,
            answer=answer,
        )
        return Example("score", user, str(mark))

    def _answer_worth(self, mark: int, fact: TrainingFact) -> str:
        """An answer that deserves the mark: 5 the guide, 4 wrapped, 3 cut short, 2 one value off,
        1 the right kind but all wrong, 0 beside the point."""
        rng = self.rng
        guide = fact.answer
        bare = guide.rstrip(".")
        if mark == 5:
            return guide if rng.random() < 0.7 else bare
        if mark == 4:
            return f"{guide} {self.connective()}"
        if mark == 3:
            words = bare.split()
            return " ".join(words[: max(1, len(words) - rng.randint(1, 2))]) + "…"
        if mark == 2:
            if date := _DATE.search(guide):
                # A changed digit could make a date of the newspaper's side.
                other_day = str(self.draw.slot("d"))
                return guide[: date.start()] + other_day + guide[date.end() :]
            spots = [i for i, c in enumerate(guide) if c.isdigit()]
            if spots:
                spot = rng.choice(spots)
                digit = rng.choice([d for d in "123456789" if d != guide[spot]])
                return guide[:spot] + digit + guide[spot + 1 :]
            words = bare.split()
            return " ".join([*words[:-1], self.draw.place().nom.split()[-1]]) + "."
        other = self.fact()
        while (mark == 1) != (other.questions[0].split()[:2] == fact.questions[0].split()[:2]):
            other = self.fact()
        return other.answer if other.answer != guide else "Δεν γνωρίζω."
