"""Which event still has to reach which endpoint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class DeliveryState(StrEnum):
    DUE = "due"
    IN_FLIGHT = "in_flight"
    HELD = "held"  # a fault keeps it back so that a later event overtakes it
    DELIVERED = "delivered"
    LOST = "lost"  # retries exhausted, the endpoint gone, or dropped by a fault


@dataclass(slots=True)
class Delivery:
    """One event on its way to one endpoint; `due_at` is on the sandbox's clock."""

    event_id: str
    endpoint_id: str
    due_at: int
    state: DeliveryState = DeliveryState.DUE
    attempts: int = 0
    copies: int = 1
    judged: bool = False
    """Whether the injected faults have been asked about it: they apply to a delivery once."""
    real_due_s: float | None = None
    last_status: int | None = None

    @property
    def is_open(self) -> bool:
        return self.state in (DeliveryState.DUE, DeliveryState.IN_FLIGHT, DeliveryState.HELD)


class Outbox:
    """All deliveries by event, and the ones not finished yet."""

    def __init__(self) -> None:
        self.by_event: dict[str, list[Delivery]] = {}
        self.open: dict[tuple[str, str], Delivery] = {}

    def add(self, delivery: Delivery) -> None:
        self.by_event.setdefault(delivery.event_id, []).append(delivery)
        self.open[delivery.event_id, delivery.endpoint_id] = delivery

    def close(self, delivery: Delivery, state: DeliveryState) -> None:
        delivery.state = state
        self.open.pop((delivery.event_id, delivery.endpoint_id), None)

    def due(self, until: int, real_now_s: float) -> Iterator[Delivery]:
        """What may be sent now: due on the sandbox's clock, or on the wall's where that is set."""
        for delivery in list(self.open.values()):
            if delivery.state is not DeliveryState.DUE:
                continue
            by_wall = delivery.real_due_s is not None and delivery.real_due_s <= real_now_s
            if by_wall or delivery.due_at <= until:
                yield delivery

    def pending(self, event_id: str) -> int:
        """How many endpoints have not answered this event with a 2xx."""
        deliveries = self.by_event.get(event_id, ())
        return sum(delivery.state is not DeliveryState.DELIVERED for delivery in deliveries)

    def all_attempted(self, event_id: str) -> bool:
        return all(d.attempts > 0 or not d.is_open for d in self.by_event.get(event_id, ()))

    def forget_endpoint(self, endpoint_id: str) -> None:
        for deliveries in self.by_event.values():
            deliveries[:] = [d for d in deliveries if d.endpoint_id != endpoint_id]
        self.open = {key: d for key, d in self.open.items() if d.endpoint_id != endpoint_id}

    def forget_event(self, event_id: str) -> None:
        for delivery in self.by_event.pop(event_id, ()):
            self.open.pop((delivery.event_id, delivery.endpoint_id), None)
