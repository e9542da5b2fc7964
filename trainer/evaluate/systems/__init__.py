"""Who is asked: a way of asking and somebody who speaks make a system, and all answer alike.

`asking` turns a question into a prompt (plain, with examples, with passages that were found, with
the gold chunk), `speaker` says what it must be able to do to be asked, `local` and `endpoint`
are the two that can, `store` keeps every answer, so that none is given twice.
"""
