"""Find the chunks of an archive that speak of a question: what retrieval can do without tuning.

SQLite's FTS5 over folded and stemmed words, so that cases, accents and capitals do not matter; no
model and no service. `chat`, the studio and the systems of an evaluation share it.
"""

from __future__ import annotations

from trainer.evaluate.rag.archive import ArchiveSearch, current_index, open_archive, rag_messages
from trainer.evaluate.rag.attribution import AnswerSource, source_lines
from trainer.evaluate.rag.index import Document, SearchHit, SearchIndex

__all__ = [
    "AnswerSource",
    "ArchiveSearch",
    "Document",
    "SearchHit",
    "SearchIndex",
    "current_index",
    "open_archive",
    "rag_messages",
    "source_lines",
]
