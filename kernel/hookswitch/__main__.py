"""``python -m hookswitch`` is the command ``hookswitch``."""

import sys

from hookswitch.cli import main

sys.exit(main())
