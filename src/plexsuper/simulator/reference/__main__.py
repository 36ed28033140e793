"""`python -m plexsuper.simulator.reference DIR`: see `build`."""

import sys

from plexsuper.simulator.reference.build import main

sys.exit(main())
