"""What other trainers read: each format is a pure function of rows, in a file of its own."""

from trainer.dataset.formats.registry import FORMATS, ExportFormat, export

__all__ = ["FORMATS", "ExportFormat", "export"]
