"""Reading pairs by eye: the queue of a session, its labels, and the terminal that shows it."""
