"""``python -m vonggac``."""

import sys

from vonggac.cli import main

sys.exit(main())
