"""One request at the desk: who asks for what, with everything that is needed to answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from twintill.sandbox.gocardless.account import Mandate, Records, Switches
from twintill.sandbox.gocardless.fields import Fields, read_action, read_body
from twintill.sandbox.gocardless.listing import Json, Row, page
from twintill.sandbox.gocardless.mistakes import already_created, link_not_there, not_there
from twintill.sandbox.gocardless.mistakes import wrong_usage as wrong
from twintill.sandbox.processor.face import Call
from twintill.sandbox.processor.objects import Charge
from twintill.sandbox.processor.world import World

MOST_IN_KEY = 128


@dataclass(frozen=True, slots=True)
class Asked:
    world: World
    records: Records
    switches: Switches
    call: Call
    now: datetime

    @property
    def params(self) -> Mapping[str, str]:
        return self.call.params()

    def page(
        self,
        collection: str,
        rows: Sequence[Row],
        filters: frozenset[str] = frozenset(),
        params: Mapping[str, str] | None = None,
    ) -> Json:
        most = self.world.settings.most_per_page
        return page(collection, rows, self.params if params is None else params, filters, most)

    @property
    def key(self) -> str | None:
        return self.call.headers.get("idempotency-key") or None

    def body(self, envelope: str) -> Fields:
        return read_body(self.call.body, self.call.headers.get("content-type", ""), envelope)

    def action(self) -> Fields:
        return read_action(self.call.body, self.call.headers.get("content-type", ""))

    def require_direct_debit(self) -> None:
        if not self.switches.direct_debit_is_enabled:
            raise wrong(403, "forbidden", "Direct Debit is not enabled for this account")

    def refuse_used_key(self, collection: str) -> None:
        """Before anything else of the request is looked at. [assumed: the order is undocumented]"""
        if self.key is not None and len(self.key) > MOST_IN_KEY:
            raise wrong(400, "idempotency_key_too_long", "The idempotency key is too long")
        window = timedelta(seconds=self.world.settings.key_window_s)
        made = self.records.created_with(collection, self.key, self.now, window)
        if made is not None:
            raise already_created(made)

    def payment(self, payment_id: str) -> Charge:
        charge = self.world.charges.get(payment_id)
        if charge is None:
            raise not_there("Payment")
        return charge

    def mandate(self, mandate_id: str) -> Mandate:
        mandate = self.records.mandates.get(mandate_id)
        if mandate is None or not mandate.is_shown:
            raise not_there("Mandate")
        return mandate

    def linked_mandate(self, fields: Fields) -> Mandate:
        mandate_id = fields.inner("links").required("mandate")
        mandate = self.records.mandates.get(mandate_id)
        if mandate is None or not mandate.is_shown:
            raise link_not_there("Mandate")
        return mandate
