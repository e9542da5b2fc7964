"""`kkoracle import`: what one already has becomes stories, and the newspaper is asked for nothing.

Files are stored as they came in the raw store, as pages of kinds of their own; the processes that
extract crawled pages read them, so a file that hangs or crashes a parser is a counted outcome, a
changed profile reads them again, and the quality checks are the same. A page is known by its
content: a second import adds only what is new, and a file that was moved is not new.
"""

import zipfile

# What zipfile raises for a file that is cut, locked by a password or packed by a method it lacks.
ZIP_ERRORS = (zipfile.BadZipFile, RuntimeError)
