"""The nouns of a run, as small immutable values that events, decisions and faces share."""

from plexsuper.terms.library import *  # noqa: F403 - every noun is named as plexsuper.terms.Noun
from plexsuper.terms.plex import *  # noqa: F403 - every noun is named as plexsuper.terms.Noun
from plexsuper.terms.run import *  # noqa: F403 - every noun is named as plexsuper.terms.Noun
from plexsuper.terms.sections import *  # noqa: F403 - every noun is named as plexsuper.terms.Noun
