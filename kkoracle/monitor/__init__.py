"""What runs next to a long command and only reads.

Prometheus metrics, notices, and a machine kept awake.
"""
