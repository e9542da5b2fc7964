"""Figures for Prometheus, served at `/metrics` by whoever runs for long; off unless asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Literal

from exchange.errors import Busy, MissingExtra
from exchange.machine import install_command

log = logging.getLogger(__name__)

PREFIX = "kkoracle_"


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One number as it is now. Names are Prometheus's own kind: `disk_free_bytes`."""

    name: str
    help: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["gauge", "counter"] = "gauge"  # a counter never falls while the process lives


MetricSource = Callable[[], Iterable[MetricValue]]


@contextmanager
def serve_metrics(host: str, port: int, figures: MetricSource) -> Iterator[int]:
    """Answer `GET /metrics` while the block runs; yields the port.

    Args:
        port: 0 takes any that is free.
        figures: asked for at every scrape, in a thread of the server's. Those of one name must
            follow each other and have the same label names.

    Raises:
        UserError: the extra is not installed, or nothing can listen there.
    """
    try:
        from prometheus_client import CollectorRegistry, start_http_server
        from prometheus_client.registry import Collector
    except ImportError:
        raise MissingExtra(
            f"metrics need their extra: {install_command('metrics')}, or leave the port at 0"
        ) from None

    class Now(Collector):
        def collect(self) -> Iterable[Any]:
            return _families(figures)

    registry = CollectorRegistry()
    registry.register(Now())
    try:
        server, thread = start_http_server(port, addr=host, registry=registry)
    except OSError as error:
        raise Busy(
            f"metrics cannot listen on {host} port {port}: {error.strerror}; choose another "
            "port under [operate], or 0 for none"
        ) from None
    try:
        yield int(server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _families(figures: MetricSource) -> Iterator[Any]:
    """Prometheus's own records. A look that fails is itself a figure: a scrape must not break."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kinds = {"gauge": GaugeMetricFamily, "counter": CounterMetricFamily}
    try:
        found = list(figures())
    except Exception:
        log.exception("the figures for /metrics could not be read")
        found = []
    for name, group in groupby(found, key=lambda figure: figure.name):
        same = list(group)
        labels = tuple(same[0].labels)
        family = kinds[same[0].kind](PREFIX + name, same[0].help, labels=labels)
        for figure in same:
            family.add_metric([figure.labels[label] for label in labels], figure.value)
        yield family
    broken = GaugeMetricFamily(PREFIX + "look_failed", "1 when the figures could not be read")
    broken.add_metric([], float(not found))
    yield broken
