"""Which of an archive's runs answers: held against the one before, promoted, rolled back, thinned.

`versions` is the pointer, `gate` what a run is asked and what decides, `cli` the command. The runs
themselves are trained by `kkoracle train --continue`.
"""
