"""`python -m kkoracle` is the `kkoracle` command."""

import os
import sys
from pathlib import Path


def _leave_working_folder() -> None:
    """Take the working folder off the path, where `python -m` has put it first.

    A file `crawler.py` or a folder `workers/` of the user's would be taken for our package. In a
    checkout that is not installed the folder is where our packages are; then our child processes,
    which start without it, are told.
    """
    here = Path.cwd()
    if sys.flags.safe_path or sys.path[:1] not in ([""], [str(here)]):
        return
    if here == Path(__file__).parent.parent:
        known = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(here), known)))
    else:
        del sys.path[0]


if __name__ == "__main__":
    _leave_working_folder()
    from kkoracle.cli import main

    main()
