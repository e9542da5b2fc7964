"""The tabs, one a file: `build(studio)` puts it on the page that is being made.

What a tab does is in the modules beside this package; here it only meets Gradio. Every function
has a name under `/gradio_api`, so that what can be clicked can be called.
"""

from __future__ import annotations

import gradio as gr

# What the tabs put on the page alike.


def own_html(elem_id: str = "") -> gr.HTML:
    """A place for HTML made by `markup`, in our style and not in Gradio's for articles."""
    return gr.HTML(elem_id=elem_id or None, apply_default_css=False)
