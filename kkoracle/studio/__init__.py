"""`kkoracle ui`: all of an archive in a browser, on this machine alone.

Tabs show what the commands print and do what the commands do, through the same functions. What a
page of the newspaper or a model wrote is escaped before it is shown, nothing is loaded from
elsewhere, and a model is loaded when it is first asked, in one thread that owns it.
"""
