"""/v1/customers/{customer}/tax_location and /v1/tax_locations: where customers are, for tax."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from starlette.requests import Request

from twintill.domain.tax import KIND, TaxProblem
from twintill.errors import NotFoundError
from twintill.flows import operations as flow
from twintill.flows import tax
from twintill.flows.means import Means
from twintill.flows.tax import TaxState
from twintill.ids import Scope
from twintill.store import customer_pages as pages
from twintill.store import operations
from twintill.web.api import Collector, Reader, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.pagination import ListShape, ThePage, as_list, seconds
from twintill.web.places import checked_address, checked_ip
from twintill.web.shapes import Seconds
from twintill.web.signup_shapes import AddressParams, Asked

router = api_router("customers")
_LOCATION = "/v1/customers/{customer}/tax_location"


class TaxLocationParams(Asked):
    """`POST /v1/customers/{customer}/tax_location`: at least one of these."""

    address: AddressParams | None = Field(None, description="The billing address.")
    ip_address: Annotated[str, StringConstraints(max_length=45)] | None = Field(
        None, description="The customer's, where there is no address."
    )
    shipping_address: AddressParams | None = Field(
        None, description="Stripe uses it before the billing address, also when it is worse."
    )
    clear_shipping: bool = Field(False, description="Take the shipping address away.")

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"address": {"country": "DE", "postal_code": "10115", "city": "Berlin"}}]
        },
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        given = self.address or self.ip_address or self.shipping_address or self.clear_shipping
        if not given or (self.shipping_address and self.clear_shipping):
            raise ValueError("send an address, an IP, or a shipping address (or clear_shipping)")
        return self


class TaxLocationShape(BaseModel):
    """Whether the tax of a customer's invoices can be computed, and what to do if not."""

    object: Literal["tax_location"] = "tax_location"
    customer: str
    livemode: bool
    problem: TaxProblem | None = Field(description="null: nothing is known to be wrong.")
    what_to_do: str | None
    since: Seconds | None

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "object": "tax_location",
                "customer": "cus_Nffrf",
                "livemode": False,
                "problem": "location_unknown",
                "what_to_do": "Stripe does not know this customer's place, ...",
                "since": 1795000000,
            }
        }
    )


@router.post(_LOCATION, summary="Say where a customer is, for tax")
async def locate(
    customer: str, params: TaxLocationParams, doors: TheDoors, caller: Collector
) -> TaxLocationShape:
    """Stripe checks the place at once (400, `customer_tax_location_invalid`). What waited for it
    goes on: automatic tax that Stripe had switched off is on again, stuck drafts are finalized.
    """
    means = doors.means
    async with means.database.connect() as db:
        await pages.read_customer(db, caller.scope, customer)
    await tax.locate(
        means,
        caller.scope,
        customer,
        key=caller.new_id("loc"),
        address=checked_address(params.address),
        ip=checked_ip(params.ip_address),
        shipping=checked_address(params.shipping_address, "shipping_address"),
        clear_shipping=params.clear_shipping,
    )
    its_id = tax.operation_id(caller.scope, customer)
    await flow.drive(means, caller.scope, its_id, patience_s=20)
    doors.waker.ring()
    return await _show(means, caller.scope, customer)


@router.get(_LOCATION, summary="Whether a customer's tax can be computed")
async def get_one(customer: str, means: TheMeans, caller: Reader) -> TaxLocationShape:
    """As Stripe said it last; `problem` null: nothing is known to be wrong."""
    async with means.database.connect() as db:
        await pages.read_customer(db, caller.scope, customer)
    return await _show(means, caller.scope, customer)


@router.get("/v1/tax_locations", summary="List customers whose tax cannot be computed")
async def list_all(
    request: Request, means: TheMeans, caller: Reader, page: ThePage
) -> ListShape[TaxLocationShape]:
    """Those who need something, newest first."""
    async with means.database.connect() as db:
        found, more = await operations.page(db, caller.scope, KIND, page, unended=True)
    shown = [_shape(caller.scope, tax.state_of(one)) for one in found]
    return as_list(request, shown, has_more=more)


async def _show(means: Means, scope: Scope, customer_id: str) -> TaxLocationShape:
    async with means.database.connect() as db:
        try:
            its = await operations.read(db, scope, tax.operation_id(scope, customer_id))
        except NotFoundError:
            return _shape(scope, TaxState(customer_id, None, None, None))
    return _shape(scope, tax.state_of(its))


def _shape(scope: Scope, state: TaxState) -> TaxLocationShape:
    return TaxLocationShape(
        customer=state.customer_id,
        livemode=scope.livemode,
        problem=state.problem,
        what_to_do=state.what_to_do,
        since=seconds(state.since),
    )
