"""Before a run starts: what it will take, measured on a few of its own steps.

Up to twenty real steps, the longest batch among them, tell memory and time; what does not fit is
made to fit (activations computed twice, a step in several parts, a 4-bit base) and the reason is
said, or the run is refused: a machine that swaps is slower than one that waits. The steps leave
no trace: weights, optimizer and random numbers are put back.
"""

from trainer.training.preflight.decide import check_weights, decide_mode, quantized_copy
from trainer.training.preflight.plan import PreflightPlan, load_preflight

__all__ = ["PreflightPlan", "check_weights", "decide_mode", "load_preflight", "quantized_copy"]
