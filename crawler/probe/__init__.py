"""`kkoracle archive probe URL`: would this archive work, and if not, why? A handful of requests."""
