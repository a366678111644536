"""``python -m lib.appendix 03``: one executed notebook as HTML and PDF."""

import sys

from lib.report.appendix_cli import main

if __name__ == "__main__":
    sys.exit(main())
