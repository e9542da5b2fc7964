"""Reading pairs by eye."""
