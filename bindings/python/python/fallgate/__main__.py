"""`python -m fallgate`: the `fallgate` command."""

import sys

from .command import main

sys.exit(main())
