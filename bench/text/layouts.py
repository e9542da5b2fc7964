"""Layouts that nobody has written a profile for: the demo's stories in pages made by dice.

A seed chooses tags, names without meaning, how paragraphs are parted, where headline, date,
section and author stand, and what else is on the page: menus, promotion boxes inside the text,
captions, teasers of other stories, readers' comments. No class name helps a reader who guesses.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from html import escape

from kkoracle.demo.newspaper import DemoStory
from kkoracle.demo.newspaper.inflect import date_line, slash_date

NAME = "Ο Κήρυκας του Βορρά"
_CONSONANTS, _VOWELS = "bdklmnprstvxzfg", "aeiou"
_MENU = ("Αρχική", "Επικοινωνία", "Συνδρομές", "Ποιοι είμαστε", "Όροι χρήσης")
_PROMOTIONS = (
    "Διαβάστε μας κάθε πρωί στο περίπτερο της γειτονιάς σας, με δώρο ένα βιβλίο.",
    "Στηρίξτε την εφημερίδα: γίνετε συνδρομητές σήμερα και κερδίστε δύο μήνες.",
    "Εγγραφείτε στο ενημερωτικό δελτίο και μάθετε πρώτοι τα νέα της πόλης σας.",
)
_REMARKS = (
    "Πολύ σωστά τα γράφετε, το ίδιο είδα κι εγώ με τα μάτια μου.",
    "Δεν συμφωνώ καθόλου με όσα διάβασα εδώ, κάπου έχετε κάνει λάθος.",
    "Ας μας πει κάποιος υπεύθυνος πότε επιτέλους θα φτιαχτεί ο δρόμος μας.",
    "Μπράβο σε όλους όσοι βοήθησαν, τέτοια νέα θέλουμε να διαβάζουμε.",
)
_CAPTIONS = ("Στιγμιότυπο από", "Άποψη από", "Φωτογραφία αρχείου για", "Εικόνα σχετική με")
_NICKS = ("Πολίτης", "Γείτονας", "Ανώνυμος", "Περαστικός", "Αναγνώστρια", "Χωριανός")


@dataclass(frozen=True, slots=True)
class RandomLayout:
    """One made design. Everything else follows from the seed."""

    seed: int

    def site(self, stories: list[DemoStory]) -> dict[str, str]:
        """Path to HTML: the start page, an index per year, a page per story."""
        dice = random.Random(f"layout {self.seed}")
        design = _Design(dice)
        pages: dict[str, str] = {}
        years = sorted({story.date.year for story in stories})
        pages["/"] = design.frame(
            "",
            "".join(
                f'<li><a href="{design.index_url(year)}">Τα φύλλα του {year}</a></li>'
                for year in years
            ),
        )
        for year in years:
            rows = "".join(
                f'<li><a href="{design.url(story)}">{escape(story.title, quote=False)}</a> '
                f"{slash_date(story.date)}</li>"
                for story in stories
                if story.date.year == year
            )
            pages[design.index_url(year)] = design.frame(f"Αρχείο {year}", f"<ul>{rows}</ul>")
        for story in stories:
            others = random.Random(f"{self.seed} {story.id}").sample(stories, 5)
            pages[design.url(story)] = design.page(story, [o for o in others if o is not story])
        return pages

    def url(self, story: DemoStory) -> str:
        return _Design(random.Random(f"layout {self.seed}")).url(story)


def _names(dice: random.Random, count: int) -> list[str]:
    """Made words for classes and ids."""
    syllables = [a + b for a in _CONSONANTS for b in _VOWELS]
    return dice.sample(
        sorted({a + b + c for a in syllables for b in syllables for c in syllables[:9]}), count
    )


class _Design:
    def __init__(self, dice: random.Random) -> None:
        self._names = iter(_names(dice, 60))
        self.by_class = dice.random() < 0.8  # else tables, fonts and places alone
        self.path = dice.choice(
            (
                "/arthra/{id}",
                "/n/{y}/{m}/{id}.html",
                "/news.php?id={id}",
                "/{y}/{m}/{d}/{id}-{slug}",
            )
        )
        self.years = dice.choice(("/arxeio/{y}", "/list.php?y={y}"))
        self.parting = dice.choice(("p", "br", "div", "p"))
        self.head = dice.choice(("{title} - {name}", "{name} | {title}", "{title}", "{name}"))
        self.heading = dice.choice(("h1", "h2", "div", "b")) if self.by_class else "font"
        self.date = dice.choice(("worded", "iso", "slashes", "meta"))
        self.order = dice.sample(["section", "title", "author", "date"], 4)
        self.signed_below = dice.random() < 0.4
        self.author = dice.choice(("{}", "Ρεπορτάζ: {}", "Γράφει: {}"))
        self.caption = dice.random() < 0.6
        self.promo_inside = dice.random() < 0.6
        self.more_inside = dice.random() < 0.4
        self.remarks = dice.random() < 0.5
        self.side_first = dice.random() < 0.5
        self.drop_cap = dice.random() < 0.4
        self.hyphens = dice.random() < 0.3
        self.inline = dice.random() < 0.3
        self._of = {
            role: self._opening(role, dice)
            for role in (
                "wrap",
                "story",
                "title",
                "meta",
                "date",
                "section",
                "author",
                "text",
                "par",
                "box",
                "promo",
                "more",
                "side",
                "card",
                "remarks",
                "remark",
                "nick",
                "foot",
                "cap",
            )
        }

    def _opening(self, role: str, dice: random.Random) -> tuple[str, str]:
        """The opening and closing tag of a role."""
        if self.by_class:
            tag = {
                "date": "span",
                "section": dice.choice(("span", "a", "i")),
                "author": "span",
                "par": "div",
                "nick": "b",
                "title": self.heading,
                "story": dice.choice(("article", "div", "section")),
                "wrap": dice.choice(("main", "div")),
            }.get(role, "div")
            name = next(self._names)
            value = dice.choice((name, name, f"{name} {next(self._names)}"))
            kind = "id" if role in ("wrap", "side", "foot") and dice.random() < 0.5 else "class"
            return f'<{tag} {kind}="{value.split()[0] if kind == "id" else value}">', f"</{tag}>"
        font = {"title": "5", "text": "3", "date": "1", "author": "2"}.get(role)
        if font:
            return f'<font size="{font}">', "</font>"
        if role == "section":
            return "<i>", "</i>"
        if role in ("wrap", "story", "side"):
            width = {"wrap": 780, "story": 600, "side": 180}[role]
            return f'<table width="{width}"><tr><td>', "</td></tr></table>"
        return "<div>", "</div>"

    def of(self, role: str, text: str) -> str:
        before, after = self._of[role]
        return f"{before}{text}{after}"

    def url(self, story: DemoStory) -> str:
        day = story.date
        return self.path.format(
            id=story.id,
            y=day.year,
            m=f"{day.month:02}",
            d=f"{day.day:02}",
            slug=f"titlos-{story.page_no}-mesa",
        )

    def index_url(self, year: int) -> str:
        return self.years.format(y=year)

    def frame(self, title: str, body: str, head: str = "") -> str:
        menu = " ".join(f'<a href="/m{i}.html">{text}</a>' for i, text in enumerate(_MENU))
        full = self.head.format(title=escape(title, quote=False), name=NAME) if title else NAME
        return (
            f'<!DOCTYPE html><html><head><meta charset="utf-8"><title>{full}</title>{head}</head>'
            f"<body>{self.of('box', menu)}\n{self.of('wrap', body)}\n"
            f"{self.of('foot', 'Τα κείμενα και οι εικόνες ανήκουν στην εφημερίδα ' + NAME + '.')}"
            "</body></html>"
        )

    def page(self, story: DemoStory, others: list[DemoStory]) -> str:
        dice = random.Random(f"{story.id} page")
        day = story.date
        dates = {
            "worded": self.of("date", date_line(day, False)),
            "iso": f'<time datetime="{day.isoformat()}T08:00">'
            f"{self.of('date', slash_date(day))}</time>",
            "slashes": self.of("date", slash_date(day)),
            "meta": "",
        }
        parts = {
            "title": self.of("title", escape(story.title, quote=False)),
            "date": dates[self.date],
            "section": self.of("section", story.section),
            "author": self.of("author", self.author.format(story.author)) if story.author else "",
        }
        signed = parts.pop("author") if self.signed_below else ""
        above = "\n".join(self._line(parts[name]) for name in self.order if name in parts)
        main = f"{above}\n{self.of('text', self._text(story, others, dice))}\n{signed}"
        side = self.of(
            "side",
            "".join(
                self.of(
                    "card",
                    f'<a href="{self.url(o)}">{escape(o.title, quote=False)}</a>'
                    f"<p>{escape(o.facts[0].sentence, quote=False)}</p>",
                )
                for o in others[:4]
            ),
        )
        said = self._remarks(dice) if self.remarks else ""
        body = self.of("story", main) + said
        head = ""
        if self.date == "meta":
            head = f'<meta property="article:published_time" content="{day.isoformat()}T06:00:00">'
        return self.frame(story.title, side + body if self.side_first else body + side, head)

    def _line(self, text: str) -> str:
        return self.of("meta", text) if text else ""

    def _text(self, story: DemoStory, others: list[DemoStory], dice: random.Random) -> str:
        texts = [self._dress(p, at, dice) for at, p in enumerate(story.paragraphs)]
        extras: list[str] = []
        if self.caption and dice.random() < 0.7:
            said = f"{dice.choice(_CAPTIONS)} {story.section.lower()}, {story.date.year}"
            extras.append(self.of("cap", f'<img src="/i/{story.id}.jpg" alt="">{said}'))
        if self.promo_inside:
            extras.append(self.of("promo", f"<p>{dice.choice(_PROMOTIONS)}</p>"))
        if self.more_inside:
            rows = "".join(
                f'<li><a href="{self.url(o)}">{escape(o.title, quote=False)}</a></li>'
                for o in others[:2]
            )
            extras.append(self.of("more", f"<b>Διαβάστε ακόμη</b><ul>{rows}</ul>"))
        if self.parting == "br":
            first, *rest = texts
            return f"{first}<br><br>\n{''.join(extras)}" + "<br><br>\n".join(rest)
        wrap = "<p>{}</p>" if self.parting == "p" else self.of("par", "{}")
        first, *rest = [wrap.replace("{}", text) for text in texts]
        return first + "\n" + "\n".join(extras) + "\n".join(rest)

    def _dress(self, text: str, at: int, dice: random.Random) -> str:
        if self.hyphens:
            text = " ".join(w[:5] + "\xad" + w[5:] if len(w) > 9 else w for w in text.split(" "))
        text = escape(text, quote=False).replace("\xad", "&shy;").replace("«", "&laquo;")
        if self.inline and dice.random() < 0.5:
            first, _, rest = text.partition(" ")
            text = (
                f'{first} <a href="/tag/{dice.randrange(90)}">{rest.partition(" ")[0]}</a> '
                f"{rest.partition(' ')[2]}"
            )
        elif self.drop_cap and at == 0 and text[0] not in "&<":
            text = f'<span style="font-size:3em">{text[0]}</span>{text[1:]}'
        return text

    def _remarks(self, dice: random.Random) -> str:
        """Nought to three remarks of readers; none on many pages."""
        said = "".join(
            self.of(
                "remark",
                self.of("nick", dice.choice(_NICKS))
                + f"<p>{dice.choice(_REMARKS)} {dice.randrange(9999)} φορές το είπα.</p>",
            )
            for _ in range(dice.choice((0, 0, 1, 3)))
        )
        return self.of("remarks", f"<b>Σχόλια αναγνωστών</b>{said}")
