"""What other trainers read: each format is a pure function of rows, in a file of its own."""

from trainer.dataset.formats.registry import FORMATS, Format, export

__all__ = ["FORMATS", "Format", "export"]
