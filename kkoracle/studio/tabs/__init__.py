"""The tabs, one a file: `build(studio)` puts it on the page that is being made.

What a tab does is in the modules beside this package; here it only meets Gradio. Every function
has a name under `/gradio_api`, so that what can be clicked can be called.
"""
