"""The alert rules, and a Prometheus small enough to tell whether one of them fires."""

from __future__ import annotations

import operator
import re
from urllib.error import URLError
from urllib.request import urlopen

import yaml
from prometheus_client.parser import text_string_to_metric_families

from exchange import metrics
from exchange.project import Project
from kkoracle.monitor.monitor import status_metrics
from kkoracle.status import read_status
from tests.conftest import ROOT

Labels = frozenset[tuple[str, str]]
Scrape = dict[str, dict[Labels, float]]

RULES = {
    rule["alert"]: rule
    for group in yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
}


def scrape(port: int, job: str = "kkoracle-crawl") -> Scrape:
    """What a Prometheus would have of one scrape, `up` included, by its own parser."""
    found: Scrape = {}
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        up = 1.0
    except URLError:
        text, up = "", 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[frozenset(sample.labels.items())] = sample.value
    found["up"] = {frozenset({("job", job)}): up}
    return found


VECTOR = r"(increase\()?([a-z_]+)(?:\{(\w+)=\"([^\"]+)\"\})?(?:\[1h\]\))?"
RULE = re.compile(rf"{VECTOR}(?: ([-/]) {VECTOR})? (==|<|>) (\S+)")


def divided(one: float, other: float) -> float:
    """As PromQL divides: nothing by nothing is no number, which no comparison holds of."""
    return one / other if other else float("nan")


OPERATORS = {"==": operator.eq, "<": operator.lt, ">": operator.gt, "-": operator.sub, "/": divided}


def vector(parts: tuple[str, ...], first: Scrape, last: Scrape) -> dict[Labels, float]:
    """The samples that a selector picks; of an increase, by how much they grew."""
    increase, name, label, value = parts
    wanted = {(label, value)} if label else set()
    return {
        labels: number - (first.get(name, {}).get(labels, 0.0) if increase else 0.0)
        for labels, number in last.get(name, {}).items()
        if wanted <= labels
    }


def fires(rule: str, last: Scrape, first: Scrape | None = None) -> bool:
    """Whether the rule's expression holds of these scrapes; a rule beyond this grammar fails."""
    match = RULE.fullmatch(RULES[rule]["expr"])
    assert match, RULES[rule]["expr"]
    groups = match.groups()
    left = vector(groups[0:4], first or {}, last)
    if groups[4]:
        right = vector(groups[5:9], first or {}, last)
        left = {at: OPERATORS[groups[4]](left[at], right[at]) for at in left.keys() & right.keys()}
    return any(OPERATORS[groups[9]](number, float(groups[10])) for number in left.values())


def firing(last: Scrape, first: Scrape | None = None) -> set[str]:
    return {rule for rule in RULES if fires(rule, last, first)}


def seen(project: Project) -> Scrape:
    """The figures of this house, served and scraped."""
    figures = lambda: status_metrics(read_status(project, "paper"))  # noqa: E731
    with metrics.serve_metrics("127.0.0.1", 0, figures) as port:
        return scrape(port)
