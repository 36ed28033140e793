"""How much of a reader's attention a fact deserves."""

from typing import Literal, TypeAlias

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
