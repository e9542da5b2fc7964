"""Plots as small SVG pictures: no library, no script, readable in light and dark.

`lines` draws what went on over time or steps, `bars` what was counted; `axes` is what both need.
"""

from __future__ import annotations

from kkoracle.studio.plots.bars import bars
from kkoracle.studio.plots.lines import Band, Curve, lines

__all__ = ["Band", "Curve", "bars", "lines"]
