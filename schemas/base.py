"""The one base class: frozen, closed, and without implicit coercion of NaN or infinity."""

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A frozen value. Unknown fields are an error: a newer writer must raise the wire version."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
