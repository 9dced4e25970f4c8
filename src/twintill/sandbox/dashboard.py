"""A person in Stripe's Dashboard: does what he likes, and nobody's idempotency key tells of it.

For tests and the demo; each deed is Stripe's own call, made without us.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from twintill.errors import TwintillError

Json = dict[str, Any]
# Not ours: whoever looks at the events sees a request without a key of ours.
_SOMEBODY = {"authorization": "Bearer sk_test_somebody_in_the_dashboard"}


class RefusedInDashboard(TwintillError):
    """Stripe said no; `code` is its own, if it has one."""

    def __init__(self, message: str, code: str | None) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Dashboard:
    """`http`: a client whose base URL is the sandbox's. Raises RefusedInDashboard."""

    http: httpx.AsyncClient

    async def edit_draft(self, invoice_id: str, **fields: Any) -> Json:
        """description, footer, due_date, days_until_due, number, discounts, metadata ..."""
        return await self.call("POST", f"invoices/{invoice_id}", fields)

    async def hold(self, invoice_id: str) -> Json:
        return await self.edit_draft(invoice_id, auto_advance=False)

    async def let_advance(self, invoice_id: str) -> Json:
        return await self.edit_draft(invoice_id, auto_advance=True)

    async def add_item(self, customer_id: str, amount_minor: int, **fields: Any) -> Json:
        """To the customer's next invoice, or with `invoice=` to a draft."""
        item = {"customer": customer_id, "amount": amount_minor, "currency": "eur", **fields}
        return await self.call("POST", "invoiceitems", item)

    async def remove_item(self, item_id: str) -> Json:
        return await self.call("DELETE", f"invoiceitems/{item_id}")

    async def finalize(self, invoice_id: str) -> Json:
        return await self.call("POST", f"invoices/{invoice_id}/finalize")

    async def mark_paid(self, invoice_id: str) -> Json:
        """ "Paid outside of Stripe"."""
        paid = {"paid_out_of_band": True}
        return await self.call("POST", f"invoices/{invoice_id}/pay", paid)

    async def void(self, invoice_id: str) -> Json:
        return await self.call("POST", f"invoices/{invoice_id}/void")

    async def mark_uncollectible(self, invoice_id: str) -> Json:
        return await self.call("POST", f"invoices/{invoice_id}/mark_uncollectible")

    async def delete_draft(self, invoice_id: str) -> Json:
        return await self.call("DELETE", f"invoices/{invoice_id}")

    async def credit(self, invoice_id: str, amount_minor: int, **fields: Any) -> Json:
        """A credit note; of a paid invoice it says too where the money goes."""
        note = {"invoice": invoice_id, "amount": amount_minor, **fields}
        return await self.call("POST", "credit_notes", note)

    async def change_subscription(self, subscription_id: str, **fields: Any) -> Json:
        return await self.call("POST", f"subscriptions/{subscription_id}", fields)

    async def cancel_subscription(self, subscription_id: str) -> Json:
        return await self.call("DELETE", f"subscriptions/{subscription_id}")

    async def create_coupon(self, **fields: Any) -> str:
        """Its id; `percent_off`, or `amount_off` with `currency`."""
        return str((await self.call("POST", "coupons", fields))["id"])

    async def call(self, method: str, path: str, fields: Json | None = None) -> Json:
        """Any other of Stripe's calls."""
        form = urlencode(list(_form(fields or {})))
        headers = {**_SOMEBODY, "content-type": "application/x-www-form-urlencoded"}
        answer = await self.http.request(method, f"/v1/{path}", content=form, headers=headers)
        body: Json = answer.json()
        if answer.is_error:
            raise RefusedInDashboard(body["error"]["message"], body["error"].get("code"))
        return body


def _form(value: Any, name: str = "") -> Any:
    """Nested tables and lists in Stripe's brackets."""
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from _form(inner, f"{name}[{key}]" if name else str(key))
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)
