"""Programs for developers; none of it is in the wheel."""
