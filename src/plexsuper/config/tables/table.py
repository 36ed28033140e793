"""What every table of the settings has in common."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A table: it is not changed after it was made, has no other settings, and never shows a value in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
