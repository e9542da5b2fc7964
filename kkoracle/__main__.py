"""`python -m kkoracle` is the `kkoracle` command."""

from kkoracle.cli import main

if __name__ == "__main__":
    main()
