"""What the catalogue of events is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of event: when it comes, what the app does about it, what its `data` looks like."""

    name: str
    when: str
    example: Mapping[str, Any]
