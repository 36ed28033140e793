"""Made-up titles for generated libraries, every so often one with the characters that break careless tools."""

import random
from itertools import count, cycle


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_ADJECTIVES = _split(
    "Amber Blue Broken Bright Cold Crimson Dark Distant Electric Empty Endless Faded First Golden Green Hidden Hollow"
    " Iron Last Little Long Lost Lucky Midnight Northern Old Paper Quiet Red Restless Salt Second Secret Silent Silver"
    " Slow Small Southern Strange Summer Velvet Warm White Wild Winter Wooden Young"
)
_NOUNS = _split(
    "Anchor Animal Bird Bridge Castle City Cloud Coast Dance Dream Engine Field Fire Forest Garden Ghost Harbour Heart"
    " Highway Hotel House Island Kingdom Lake Letter Light Machine Mirror Moon Morning Mountain Night Ocean Orchard Radio"
    " Rain River Road Season Shadow Signal Sky Snow Song Station Stone Storm Story Street Thunder Tower Train Valley Window"
)
ODD_TITLES = (
    "L'Été d'Hélène",
    'The "Quoted" Tape',
    "100% Cotton_Mix",
    "夜のしじま",
    "Rock & Roll [Live]",
    "$9.99 `Demo`",
    "Ágætis Þögn",
    "It's Only {Half} the #Truth;",
    "Don't Look Down (feat. Zoë)",
)
_WORDS = tuple(word.lower() for word in (*_ADJECTIVES, *_NOUNS))


class Titles:
    """Deal out titles; the same *rng* state gives the same titles.

    Every *odd_every*-th title holds quotes, accents, `%`, `_`, `$` or the like, each such title in its turn.
    """

    def __init__(self, rng: random.Random, *, odd_every: int = 40) -> None:
        self._rng = rng
        self._odd_every = odd_every
        self._odd = cycle(rng.sample(ODD_TITLES, k=len(ODD_TITLES)))
        self._counter = count(1)
        self._used: dict[str, int] = {}

    def title(self) -> str:
        """Return a title of two or three words, or an odd one."""
        if next(self._counter) % self._odd_every == 0:
            return next(self._odd)
        words = f"{self._rng.choice(_ADJECTIVES)} {self._rng.choice(_NOUNS)}"
        return words if self._rng.random() < 0.6 else f"The {words}"

    def unique(self) -> str:
        """Return a title that this object has not given as unique before."""
        title = self.title()
        times = self._used.get(title, 0) + 1
        self._used[title] = times
        return title if times == 1 else f"{title} {times}"

    def sentence(self, words: int) -> str:
        """Return a summary of so many words."""
        return " ".join(self._rng.choices(_WORDS, k=words)).capitalize() + "."

    @staticmethod
    def vocabulary() -> tuple[str, ...]:
        """Return every ordinary word, in lower case."""
        return _WORDS


def on_disk(title: str) -> str:
    """Return *title* as a file name: `/` cannot be part of one."""
    return title.replace("/", "-")
