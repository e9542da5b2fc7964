"""A worker that ends as a fault in a library would end it: at once, and without a word."""

import os

os._exit(70)
