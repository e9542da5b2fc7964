"""`kkoracle live`: the paper is read every day, and the model learns each morning what is new.

`run` keeps the commands going and begins the mornings, `schedule` says when, `morning` takes one
through its steps, by commands that a person could give as well, `set_aside` is what it teaches no
more, `record` what is known of all of them, `page` shows it. What a run must show before it answers
is decided in `trainer.promote`.
"""
