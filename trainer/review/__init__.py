"""Reading pairs by eye: a sitting's queue, its labels, and the screens that show it."""
