"""Pages for people: Jinja2 with autoescape, and the plots that report and studio share."""
