"""``python -m lib.weekly``: the weekly report in one command."""

import sys

from lib.weekly.cli import main

if __name__ == "__main__":
    sys.exit(main())
