"""The four page shapes of the archive: HTML of one story, or of the stories of one page.

What a crawler's profile needs to know about each stands in the package docstring.
"""

from __future__ import annotations

from html import escape

from kkoracle.demo.newspaper.inflect import date_line, slash_date
from kkoracle.demo.newspaper.records import DemoStory

NAME = "Φωνή της Πετρολίμνης"

# What is promoted today, on pages of every age: no story of the archive has this text.
PROMOTIONS = (
    "Γίνετε συνδρομητές με μία μόνο κίνηση και κερδίστε τον πρώτο μήνα.",
    "Σήμερα στο περίπτερο: ένθετο με συνταγές και σταυρόλεξα.",
    "Μη χάσετε την Κυριακή το ημερολόγιο τοίχου, δώρο με κάθε φύλλο.",
)
_MENU = (
    ("/", "Αρχική"),
    ("/year.do?y=2024", "Αρχείο"),
    ("/private/login.do", "Είσοδος συνδρομητών"),
)


def menu() -> str:
    return " | ".join(f'<a href="{escape(url)}">{text}</a>' for url, text in _MENU)


def issue_url(story: DemoStory) -> str:
    """The address of the index that lists a story."""
    late = "&edition=2" if story.edition == 2 else ""
    return f"/issue.do?publDate={slash_date(story.date)}{late}"


def printed_date(story: DemoStory) -> str:
    """The date line as printed: demotic months, two dates on a weekend issue."""
    return date_line(story.date, story.date.weekday() == 5)


def _promotion_boxes() -> str:
    return "".join(
        f'<div class="promo_box"><b>Προτάσεις</b><p>{text}</p></div>' for text in PROMOTIONS
    )


def _neighbours(story: DemoStory, neighbours: tuple[int, int]) -> str:
    before, after = neighbours
    day = slash_date(story.date)
    return (
        f'<a href="/adjacent.do?id={before}">Προηγούμενο</a> '
        f'<a href="/adjacent.do?id={after}">Επόμενο</a> '
        f'<a href="/columnStory.do?id={story.id}">Στήλη: {escape(story.section)}</a> '
        f'<a href="/story.do?id={story.id}&amp;publDate={day}">Μόνιμη διεύθυνση</a> '
        f'<a href="/story.do?publDate={day}&amp;id={story.id}">Για εκτύπωση</a>'
    )


def modern(story: DemoStory, neighbours: tuple[int, int]) -> str:
    """`article` with `h1`, `p.meta` and `div.text`."""
    text = "\n".join(f"<p>{escape(p, quote=False)}</p>" for p in story.paragraphs)
    return f"""<!DOCTYPE html>
<html lang="el"><head><meta charset="utf-8"><title>{escape(story.title)} - {NAME}</title></head>
<body><header><a class="logo" href="/">{NAME}</a><nav>{menu()}</nav></header>
<main><article><h1>{escape(story.title, quote=False)}</h1>
<p class="meta"><span class="section">{story.section}</span>
<span class="author">{story.author}</span>
<time datetime="{story.date.isoformat()}">{printed_date(story)}</time></p>
<div class="text">
{text}
</div></article>
<aside class="sidebar"><h3>Δημοφιλή</h3>
<ul><li>Ο καιρός στην περιοχή</li><li>Άνεμοι και κύματα</li></ul>
{_promotion_boxes()}</aside></main>
<div class="tools">{_neighbours(story, neighbours)}</div>
<footer>Άρθρα, εικόνες και σχέδια: {NAME}. Όλα τα δικαιώματα ανήκουν στην εφημερίδα.</footer>
</body></html>
"""


def storybody(story: DemoStory, neighbours: tuple[int, int]) -> str:
    """`div.title1` and `div.story_body`; odd ids break lines, even ids use `<p>`; a drop cap."""
    first, *rest = (escape(p, quote=False) for p in story.paragraphs)
    first = f'<span class="dropcap">{first[0]}</span>{first[1:]}'
    if story.id % 2:
        text = "<br><br>\n".join([first, *rest])
    else:
        text = "\n".join(f"<p>{p}</p>" for p in [first, *rest])
    return f"""<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN" "">
<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8">
<title>{NAME}: {escape(story.title)}</title></head>
<body><div id="top">{menu()}</div><div id="content">
<div class="headline"><span class="date">{printed_date(story)}</span>
<span class="section">{story.section}</span> <span class="page">Σελίδα {story.page_no}</span></div>
<div class="title1" align="center">{escape(story.title, quote=False)}</div>
<div class="story_body">
{text}
</div>
<div class="author">{story.author}</div>
<div class="to_top"><a href="#top">Κορυφή σελίδας</a></div>
<div class="tools">{_neighbours(story, neighbours)}</div>
<div class="promos">{_promotion_boxes()}</div></div>
<div id="bottom">Άρθρα και εικόνες: {NAME}</div></body></html>
"""


def tables(story: DemoStory, neighbours: tuple[int, int], charset: str) -> str:
    """Nested tables and `<font>`; every third page begins with a drop cap in a font of its own."""
    first, *rest = (escape(p, quote=False) for p in story.paragraphs)
    if story.id % 3 == 0:
        first = f'<font size="6" color="#990000">{first[0]}</font>{first[1:]}'
    text = "<br><br>\n".join([first, *rest])
    return f"""<html><head>
<meta http-equiv="Content-Type" content="text/html; charset={charset}">
<title>{escape(story.title)}</title></head><body bgcolor="#ffffff">
<table width="760" border="0"><tr><td colspan="2"><font size="2">{menu()}</font></td></tr>
<tr><td width="140" valign="top"><font size="1">Άρθρα<br>Αγγελίες<br>
Άλλες ειδήσεις<br>Έντυπη έκδοση</font></td>
<td width="620"><table width="100%"><tr><td><font size="1" color="#666666">{printed_date(story)} -
<i>{story.section}</i> - ΣΕΛ. {story.page_no}</font></td></tr>
<tr><td><font size="5"><b>{escape(story.title, quote=False)}</b></font></td></tr>
<tr><td><font size="2" color="#333333">Ρεπορτάζ: {story.author}</font></td></tr>
<tr><td><font face="Arial" size="3">{text}</font></td></tr>
<tr><td><font size="1">{_neighbours(story, neighbours)}</font></td></tr></table></td></tr>
<tr><td colspan="2"><font size="1">{"<br>".join(PROMOTIONS)}</font></td></tr></table>
</body></html>
"""


def several(stories: list[DemoStory]) -> str:
    """One newspaper page with all its stories, each in a `div.story` with its number as id."""
    head = stories[0]
    blocks = []
    for story in stories:
        text = "\n".join(f"<p>{escape(p, quote=False)}</p>" for p in story.paragraphs)
        blocks.append(
            f'<div class="story" id="s{story.id}"><div class="kicker">{story.section}</div>\n'
            f'<div class="title2">{escape(story.title, quote=False)}</div>\n'
            f'<div class="body">\n{text}\n</div>\n<div class="sign">{story.author}</div></div>'
        )
    joined = "\n<hr>\n".join(blocks)
    return f"""<!DOCTYPE html>
<html lang="el"><head><meta charset="utf-8"><title>Σελίδα {head.page_no} - {NAME}</title></head>
<body><nav>{menu()}</nav>
<div class="page_head"><span class="date">{printed_date(head)}</span> Σελίδα {head.page_no}
<a href="{escape(issue_url(head))}">Άλλες ειδήσεις του φύλλου</a></div>
<div id="stories">
{joined}
</div>
<div class="promos">{_promotion_boxes()}</div>
<footer>Άρθρα και εικόνες: {NAME}</footer></body></html>
"""
