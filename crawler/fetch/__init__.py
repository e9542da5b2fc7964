"""Asking a site for pages: HTTP with limits, robots.txt, politeness per host, and the loop."""
