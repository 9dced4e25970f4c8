"""POST /v1/payments/{payment}/resolve: a person says what became of an attempt in doubt."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from twintill.domain.facts import Evidence
from twintill.flows import person
from twintill.flows.person import Word
from twintill.web import examples
from twintill.web.api import Collector, api_router
from twintill.web.doors import TheDoors
from twintill.web.payments import show_whole
from twintill.web.shapes import WholePaymentShape
from twintill.web.signup_shapes import Asked

router = api_router("payments")
_Short = Annotated[str, Field(min_length=1, max_length=255)]


class EvidenceParams(Asked):
    """What the caller goes by; the bytes stay with him."""

    name: Annotated[str, Field(min_length=1, max_length=2000, description="A file, or a URL.")]
    sha256: Annotated[
        str | None, Field(pattern="^[0-9a-f]{64}$", description="Of the file, in hex.")
    ] = None


class ResolveParams(Asked):
    """Exactly one of `charged` and `not_charged`."""

    model_config = examples.RESOLVE_PARAMS
    charged: Annotated[_Short | None, Field(description="The processor's payment id.")] = None
    not_charged: Annotated[bool, Field(description="Nothing was taken; instead of `charged`.")] = (
        False
    )
    why: Annotated[str, Field(min_length=1, max_length=2000, description="Stays in the history.")]
    attempt: Annotated[
        _Short | None, Field(description="Refused unless it is this one that is unresolved.")
    ] = None
    evidence: EvidenceParams | None = Field(None, description="What the word rests on.")
    without_asking: Annotated[
        bool, Field(description="Also where the processor cannot be asked right now.")
    ] = False
    even_though_it_may_arrive: Annotated[
        bool, Field(description="Inside the key's window; the next charge waits for its end.")
    ] = False

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.charged is not None) == self.not_charged:
            raise ValueError("send either charged or not_charged")
        return self


@router.post("/v1/payments/{payment}/resolve", summary="Say what became of an attempt in doubt")
async def resolve(
    payment: str, params: ResolveParams, doors: TheDoors, caller: Collector
) -> WholePaymentShape:
    """The processor is asked once more, and what it shows comes first; nothing changes when it
    contradicts (409, with the rule as `code`). Repeated, it answers what is known.
    """
    means = doors.means
    evidence = params.evidence
    word = Word(
        charged=params.charged,
        why=params.why,
        actor=caller.actor,
        evidence=None if evidence is None else Evidence(evidence.name, evidence.sha256),
        attempt_id=params.attempt,
        without_asking=params.without_asking,
        even_though_it_may_arrive=params.even_though_it_may_arrive,
    )
    await person.resolve(means, caller.scope, payment, word)
    doors.waker.ring()
    async with means.database.connect() as db:
        return await show_whole(db, means, caller.scope, payment)
