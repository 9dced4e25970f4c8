"""Stripe, the source of truth: everything that we ask of it, through one official client."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from twintill.stripe_billing.catalog import Catalog
from twintill.stripe_billing.connection import (
    DEADLINE_S,
    PAGE,
    READ_TIMEOUT_S,
    RETRIES,
    connect,
)
from twintill.stripe_billing.credit_notes import CreditNotes
from twintill.stripe_billing.customers import Customers
from twintill.stripe_billing.drafts import Drafts
from twintill.stripe_billing.invoice_items import InvoiceItems
from twintill.stripe_billing.invoice_lists import InvoiceLists
from twintill.stripe_billing.invoicing import Invoicing
from twintill.stripe_billing.marks import is_installation_id
from twintill.stripe_billing.one_off import OneOffs
from twintill.stripe_billing.pace import Pace, Unpaced
from twintill.stripe_billing.preview import Previews
from twintill.stripe_billing.shapes import Id, Shape
from twintill.stripe_billing.subscriptions import Subscriptions
from twintill.stripe_billing.switching import Switching
from twintill.stripe_billing.taxes import Taxes

if TYPE_CHECKING:
    from stripe.params import EventListParams, InvoiceListParams


@dataclass(frozen=True)
class Gateway(
    Switching,
    Drafts,
    InvoiceLists,
    OneOffs,
    Invoicing,
    InvoiceItems,
    Catalog,
    CreditNotes,
    Customers,
    Subscriptions,
    Taxes,
    Previews,
):
    """One per event loop, made at start-up by `open_gateway`; every failure is a StripeError.

    Amounts are in minor units, currencies upper-case, keys (idempotency) the caller's.
    """

    async def account_id(self) -> str:
        """Whose key this is: compared at the start with whose data the database holds."""
        raw = await self.answer(self.client.v1.accounts.retrieve_current_async())
        return self.read(_Account, raw).id

    async def list_events(
        self,
        created_gte: datetime,
        types: Sequence[str],
        *,
        delivery_success: bool | None = None,
        starting_after: str | None = None,
        limit: int = PAGE,
    ) -> list[dict[str, Any]]:
        """One page of events as Stripe stored them, newest first; Stripe keeps 30 days.

        At most 20 types. `delivery_success=False`: only those that no endpoint has taken yet.
        """
        params: EventListParams = {
            "created": {"gte": int(created_gte.timestamp())},
            "types": list(types),
            "limit": limit,
        }
        if delivery_success is not None:
            params["delivery_success"] = delivery_success
        if starting_after is not None:
            params["starting_after"] = starting_after
        return await self.page(self.client.v1.events.list_async(params))

    async def list_open_invoices(
        self, created_lte: datetime, *, starting_after: str | None = None, limit: int = PAGE
    ) -> list[dict[str, Any]]:
        """One page of open `send_invoice` invoices as Stripe shows them, the newest first."""
        params: InvoiceListParams = {
            "status": "open",
            "collection_method": "send_invoice",
            "created": {"lte": int(created_lte.timestamp())},
            "limit": limit,
        }
        if starting_after is not None:
            params["starting_after"] = starting_after
        return await self.page(self.client.v1.invoices.list_async(params))


class _Account(Shape):
    id: Id


def open_gateway(
    api_key: str,
    api_base: str | None,
    installation_id: str,
    livemode: bool,  # noqa: FBT001 - the four are what a Stripe key is
    *,
    pace: Pace | None = None,
    read_timeout_s: float = READ_TIMEOUT_S,
    deadline_s: float = DEADLINE_S,
    retries: int = RETRIES,
) -> Gateway:
    """`api_base` None: Stripe itself; else a sandbox, such as http://127.0.0.1:12111.

    `pace` None: requests leave at once, and are not counted.
    """
    if not is_installation_id(installation_id):
        raise ValueError(f"not an installation id (8 of a-z, 2-7): {installation_id!r}")
    client, http = connect(
        api_key, api_base, pace or Unpaced(), read_timeout_s=read_timeout_s, retries=retries
    )
    return Gateway(client, http, installation_id, livemode, deadline_s)
