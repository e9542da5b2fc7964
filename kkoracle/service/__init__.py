"""Redis, the daemon and a worker as services of the user's own login: launchd or systemd.

`plan` says what runs, `systemd` and `launchd` how each says it in files, `install` where the files
go and who is told. Nothing needs root: these are the user's own services.
"""
