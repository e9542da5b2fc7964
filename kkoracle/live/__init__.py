"""`kkoracle live`: the paper is read every day, and the model learns each morning what is new.

`run` keeps the commands going and begins the mornings, `morning` takes one through its steps, by
commands that a person could give as well, `record` is what is known of all of them, `page` shows
it. What a run must show before it answers is decided in `trainer.promote`.
"""
