"""A few open tasks tried before the long run, and how long the whole archive will take."""
