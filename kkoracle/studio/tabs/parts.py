"""What the tabs put on the page alike."""

from __future__ import annotations

import gradio as gr


def own_html(elem_id: str = "") -> gr.HTML:
    """A place for HTML made by `markup`, in our style and not in Gradio's for articles."""
    return gr.HTML(elem_id=elem_id or None, apply_default_css=False)
