"""`python -m reds_core`: the command line."""

from reds_core.cli import main

if __name__ == "__main__":
    main()
