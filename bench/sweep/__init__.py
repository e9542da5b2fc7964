"""Does a search for a tenth of the cost find a learning rate as good as the best of six full runs?

The sample newspaper's facts, asked in two wordings for training and a third for validation; the
demo's model, its upper layer tuned, 2,000 steps and more. `kkoracle sweep` searches; then
`kkoracle train` runs each of its six first rates in full, the rate found, and mlx-lm's defaults
(rate 1e-5, rank 8, scale 20, no schedule, no clipping). Every run is judged on the same validation
rows by its best checkpoint; differences are paired by row and clustered by story.

cost_share      processor time of the search over that of the six full runs
found, best     the rate found, and the best of the six
within_noise    the rate found is as good as the best: the interval of the difference holds 0, or
                lies below
worse_by        nats per token by which the rate found is worse, with the ends of its 95 % interval
losses          of each rate in full; mlx_lm_loss: of mlx-lm's defaults
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.registry import BenchSettings, Figures
from exchange.errors import NotEnoughData

SEED = 7
NOT_FOR_JUDGING = ("found", "best", "within_noise", "worse_by", "cost_share", "*_cpu_s")
STEPS, QUICK_STEPS = 2_000, 400  # at least so many in a full run


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--keep", type=Path, help="work in this folder, and leave it there")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Search, then train in full with every rate."""
    from bench.sweep.fixture import SweepProject, make
    from bench.sweep.judge import losses
    from trainer.statistics import paired_difference

    with tempfile.TemporaryDirectory(prefix="kk-bench-") as name:
        folder = args.keep or Path(name)
        settings.log("making pairs and dataset")
        project: SweepProject = make(folder, QUICK_STEPS if settings.quick else STEPS, SEED)
        settings.log("searching")
        found, search_cpu = project.sweep()
        rates = sorted(
            {one["rate"] for one in found["tries"] if one["rows"] == found["tries"][0]["rows"]}
        )
        cpu: dict[str, float] = {}
        names = {f"{rate:g}": rate for rate in rates}
        for label, rate in {**names, f"{found['lr']:g}": found["lr"]}.items():
            settings.log(f"training in full with {label}")
            cpu[label] = project.train(label, "--lr", repr(rate))
        settings.log("training in full with mlx-lm's defaults")
        project.train("mlx-lm", "--researcher", "--layers", "1", "--batch", "2", "--epochs", "3")
        settings.log("judging")
        judged, clusters = losses(project, [*cpu, "mlx-lm"])
    mean = {label: sum(values) / len(values) for label, values in judged.items()}
    best = min(names, key=lambda label: mean[label])
    label = f"{found['lr']:g}"
    paired = paired_difference(judged[label], judged[best], clusters)
    if paired is None:
        raise NotEnoughData("all validation rows are of one story")
    full_cpu = sum(cpu[one] for one in names)
    return {
        "steps": project.steps,
        "rows": project.rows,
        "judged_rows": len(clusters),
        "rates": rates,
        "found": found["lr"],
        "best": names[best],
        "within_noise": label == best or paired.gain.low <= 0,
        "worse_by": [
            round(value, 4) for value in (paired.gain.low, paired.gain.mean, paired.gain.high)
        ],
        "cost_share": round(search_cpu / full_cpu, 4),
        "search_cpu_s": round(search_cpu, 1),
        "full_cpu_s": round(full_cpu, 1),
        "losses": {one: round(mean[one], 4) for one in mean if one != "mlx-lm"},
        "mlx_lm_loss": round(mean["mlx-lm"], 4),
        "rounds": found["rounds"],
    }
