"""Two small newspapers of our own, English and Japanese, and a model that writes pairs about them.

Every story has a byline, a date, paragraphs that no other story has, and the furniture of a site
around it: navigation, the latest stories, a footer.
"""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.crawler.loopback import Answer, Route

STORIES = 30
FIRST = dt.date(2011, 5, 2)


@dataclass(frozen=True)
class SmallPaper:
    """One newspaper: its words, and how a day is printed."""

    language: str
    name: str
    people: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    lead: str  # {who} {date} {what} {where}
    more: tuple[str, ...]
    title: str
    byline: str
    menu: tuple[str, ...]
    footer: str
    day: Callable[[dt.date], str]

    def routes(self) -> dict[str, Route]:
        """The site: a front page, an index of each day, the stories."""
        rng = random.Random(7)
        days = [FIRST + dt.timedelta(days=n // 3) for n in range(STORIES)]
        titles = [self._fill(self.title, rng, day) for day in days]
        pages: dict[str, Route] = {}
        for number, day in enumerate(days):
            pages[f"/story/{number + 1}"] = self._story(number, titles, day, rng)
        for day in sorted(set(days)):
            links = [
                f'<li><a href="/story/{n + 1}">{titles[n]}</a></li>'
                for n in range(STORIES)
                if days[n] == day
            ]
            pages[f"/day/{day}"] = self._page(self.day(day), f"<ul>{''.join(links)}</ul>")
        index = "".join(
            f'<li><a href="/day/{day}">{self.day(day)}</a></li>' for day in sorted(set(days))
        )
        return {"/": self._page(self.name, f"<ul>{index}</ul>"), **pages}

    def _fill(self, text: str, rng: random.Random, day: dt.date) -> str:
        return text.format(
            who=rng.choice(self.people),
            other=rng.choice(self.people),
            what=rng.choice(self.things),
            where=rng.choice(self.places),
            date=self.day(day),
            n=rng.randint(11, 999),
            m=rng.randint(11, 999),
        )

    def _story(self, number: int, titles: list[str], day: dt.date, rng: random.Random) -> Answer:
        parts = [self._fill(self.lead, rng, day)]
        parts += [self._fill(text, rng, day) for text in rng.sample(self.more, 5)]
        text = "".join(f"<p>{part}</p>" for part in parts)
        latest = "".join(
            f'<li><a href="/story/{n + 1}">{titles[n]}</a></li>'
            for n in rng.sample(range(STORIES), 4)
        )
        return self._page(
            titles[number],
            f'<article><h1>{titles[number]}</h1><p class="byline">{self.byline}'
            f"{self.people[number % len(self.people)]}</p>"
            f'<time class="day" datetime="{day}">{self.day(day)}</time>'
            f'<div class="story-body">{text}</div></article>'
            f'<aside class="latest"><ul>{latest}</ul></aside>',
        )

    def _page(self, title: str, body: str) -> Answer:
        menu = "".join(f'<a href="/day/{FIRST}">{word}</a> ' for word in self.menu)
        return Answer(
            f'<!doctype html><html lang="{self.language}"><head><meta charset="utf-8">'
            f"<title>{title} | {self.name}</title></head><body><nav>{menu}</nav>{body}"
            f"<footer>{self.footer}</footer></body></html>"
        )


ENGLISH = SmallPaper(
    language="en",
    name="The Harbour Gazette",
    people=("Anna Hill", "Peter Marsh", "Joan Fletcher", "Samuel Oak", "Ruth Dale", "Ivor Quill"),
    things=("library", "fish market", "ferry line", "theatre", "night school", "swimming pool"),
    places=("Eastquay", "Millbrook", "Saltford", "Oldbridge", "Fernhill", "Northgate"),
    lead="{who} opened the {what} of {where} on {date}.",
    more=(
        "The council of {where} had set {n} thousand pounds aside for the {what} in the spring.",
        "More than {n} people stood in the rain, and {who} thanked each of the {m} volunteers.",
        "A choir of {n} children sang, while the mayor of {where} counted the boats in the bay.",
        "{who}, who has lived in {where} for {n} months, said that the work had taken too long.",
        "The builders used {n} tons of stone from {where}; {m} of them came by sea.",
        "In the evening {who} and {other} spoke about the plans for a bridge to {where}.",
        "Tickets cost {n} pence, and the first {m} visitors of the {what} came in free.",
        "A storm had damaged the roof of the old {what} in {where}, and {n} windows were lost.",
        "The next meeting of the {where} committee will look at {n} letters from its readers.",
    ),
    title="{what} opens in {where} after {n} days",
    byline="By ",
    menu=("Home page", "Town", "Sport", "Weather"),
    footer="The Harbour Gazette, printed every day in the old customs house.",
    day=lambda day: f"{day.day} {day:%B} {day.year}",
)
JAPANESE = SmallPaper(
    language="ja",
    name="港町新聞",
    people=("山田一郎", "佐藤花子", "鈴木健太", "高橋美咲", "伊藤大輔", "渡辺直子"),
    things=("図書館", "魚市場", "渡し船", "劇場", "夜間学校", "温水プール"),
    places=("東浜町", "水車村", "塩田町", "古橋町", "羊歯丘", "北門町"),
    lead="{who}さんは{date}に{where}の{what}を開いた。",
    more=(
        "{where}の議会は春に{what}のために{n}万円を用意していた。",
        "雨の中に{n}人以上が集まり、{who}さんは{m}人の協力者に一人ずつ礼を述べた。",
        "{n}人の子どもの合唱団が歌い、{where}の町長は湾に浮かぶ船を数えていた。",
        "{where}に{n}か月住んでいる{who}さんは、工事に時間がかかりすぎたと話した。",
        "大工たちは{where}の石を{n}トン使い、そのうち{m}トンは海から運ばれた。",
        "夕方には{who}さんと{other}さんが{where}へ渡る橋の計画について語った。",
        "入場料は{n}円で、{what}の最初の{m}人は無料で入ることができた。",
        "嵐のために{where}の古い{what}の屋根が壊れ、窓が{n}枚失われていた。",
        "{where}の委員会は次の会議で読者からの手紙{n}通を読む予定である。",
    ),
    title="{n}日ぶりに{where}で{what}が開く",
    byline="記者 ",
    menu=("表紙", "町の話題", "運動", "天気"),
    footer="港町新聞は古い税関の建物で毎日印刷されています。",
    day=lambda day: f"{day.year}年{day.month}月{day.day}日",
)
_ENGLISH_LEAD = re.compile(r"(\w+ \w+) opened the ([a-z ]+) of (\w+) on (\d+ \w+ \d{4})\.")
_JAPANESE_LEAD = re.compile(r"([一-龥]{4})さんは(\d+年\d+月\d+日)に([一-龥]+)の(\S+?)を開いた。")


def write_pair(prompt: str) -> str:
    """What a model answers: one pair about the opening, in the language that it is asked for."""
    if found := _ENGLISH_LEAD.search(prompt):
        who, what, where, date = found.groups()
        asked = f"Who opened the {what} of {where} on {date}?"
        return f"Question: {asked}\nAnswer: {who} opened it."
    if "in Japanese" in prompt and (found := _JAPANESE_LEAD.search(prompt)):
        who, date, where, what = found.groups()
        return f"Question: {date}に{where}の{what}を開いたのは誰ですか？\nAnswer: {who}さんです。"
    return "I do not know what to ask."
