"""Facts: what the customer, or somebody for him, asks for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TryAsked:
    """Another try now, with this stored method."""

    method_id: str
