"""The contract notices: a sound adapter passes a case, and with one fault planted it fails."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from tests.processors import faulty
from tests.processors.gocardless_stage import GoCardlessStage, gocardless_stage
from tests.processors.paypal_stage import PayPalStage, paypal_stage
from tests.processors.sandbox_stage import SandboxStage, sandbox_stage
from twintill.domain.money_back import DisputeStage
from twintill.errors import TwintillError
from twintill.testing import Contract, Fault, Lie, Stage, Trait

pytestmark = pytest.mark.asyncio(loop_scope="module")
STAGES: dict[str, Any] = {
    "sandbox": (SandboxStage, sandbox_stage),
    "paypal": (PayPalStage, paypal_stage),
    "gocardless": (GoCardlessStage, gocardless_stage),
}
# A case takes "exactly one" apart where it says [event] = ...
NOTICED = (AssertionError, ValueError, TwintillError, pytest.fail.Exception)
CASES = Contract()
SANDBOX = ("sandbox",)


@dataclass(frozen=True)
class Planted:
    fault: type
    case: Callable[..., Awaitable[None]]
    inputs: dict[str, Any] = field(default_factory=dict)
    needs: Trait | None = None
    where: tuple[str, ...] = tuple(STAGES)


PLANTED = (
    Planted(
        faulty.ReadsTheFirstOfABatch,
        CASES.test_every_event_of_a_batch_is_read,
        needs=Trait.BATCHES,
    ),
    Planted(
        faulty.LosesABatchForOneEvent,
        CASES.test_a_poisonous_event_does_not_take_its_batch_with_it,
        needs=Trait.BATCHES,
    ),
    Planted(faulty.NamesEventsByTheirPlace, CASES.test_a_redelivery_has_the_same_keys),
    Planted(faulty.TakesNoSignatureForAGoodOne, CASES.test_no_signature_is_refused),
    Planted(faulty.TakesEverySignature, CASES.test_a_forged_body_is_refused),
    Planted(faulty.TakesEverySignature, CASES.test_the_signature_of_a_stranger_is_refused),
    Planted(faulty.TakesEverySignature, CASES.test_each_missing_header_of_the_signature_is_refused),
    Planted(
        faulty.TakesEverySignature,
        CASES.test_an_old_or_future_signature_is_refused,
        {"past": 1},
        needs=Trait.SIGNED_TIME,
    ),
    Planted(
        faulty.ForgetsToCheckTheTime,
        CASES.test_an_old_or_future_signature_is_refused,
        {"past": 1},
        where=SANDBOX,
    ),
    Planted(
        faulty.TakesSilenceForADecline,
        CASES.test_charged_but_the_answer_was_lost,
        {"fault": Fault.SILENT_AFTER},
    ),
    Planted(
        faulty.TakesSilenceForADecline,
        CASES.test_a_request_still_in_flight_is_in_doubt,
        needs=Trait.IN_FLIGHT,
    ),
    Planted(
        faulty.TakesSilenceForADecline,
        CASES.test_a_status_that_proves_nothing_is_no_answer,
        {"status": 502},
    ),
    Planted(
        faulty.TakesARefusalForADecline,
        CASES.test_too_many_requests_is_not_sent_with_its_wait,
    ),
    Planted(
        faulty.TakesARefusalForADecline,
        CASES.test_an_account_that_is_not_enabled_is_not_sent,
        needs=Trait.NOT_ENABLED,
    ),
    Planted(
        faulty.TakesSilenceForADecline,
        CASES.test_a_used_reference_under_another_key_is_in_doubt,
        needs=Trait.UNIQUE_REFERENCE,
    ),
    Planted(faulty.TakesAnOrderForMoney, CASES.test_a_pending_charge_is_accepted_and_told_later),
    Planted(
        faulty.TakesProvisionalForFinal,
        CASES.test_provisional_money_becomes_final,
        where=("sandbox", "gocardless"),
    ),
    Planted(faulty.CallsEveryDeclineSoft, CASES.test_a_revoked_token_is_declined_as_revoked),
    Planted(faulty.IgnoresWhatComesLate, CASES.test_a_late_failure_is_told),
    Planted(faulty.IgnoresWhatComesLate, CASES.test_a_refund_can_fail_days_later),
    Planted(
        faulty.IgnoresWhatComesLate,
        CASES.test_its_end_is_seen_and_told,
        {"end": DisputeStage.LOST, "taken": True},
    ),
    Planted(faulty.SendsAgain, CASES.test_nothing_is_ever_repeated_by_the_adapter),
    Planted(
        faulty.BelievesAnyAmount,
        CASES.test_a_self_contradictory_answer_is_no_answer,
        {"lie": Lie.OTHER_AMOUNT},
        where=SANDBOX,
    ),
    Planted(
        faulty.RoundsAmounts,
        CASES.test_an_amount_that_cannot_be_expressed_is_not_sent,
        needs=Trait.INEXACT,
    ),
    Planted(faulty.SendsEachTimeAnother, CASES.test_equal_requests_are_equal_bytes),
    Planted(
        faulty.FindsNothingWhenItCannotLook,
        CASES.test_looking_up_through_a_broken_line_is_not_not_found,
    ),
    Planted(faulty.FindsSomebodyElses, CASES.test_a_look_up_finds_only_its_own, where=SANDBOX),
    Planted(
        faulty.SaysTooMuchOfItsKeys,
        CASES.test_the_key_is_honoured_as_long_as_it_is_said,
        where=("sandbox", "paypal"),
    ),
    Planted(faulty.TakesAnErrorForAMethodThatIsGone, CASES.test_no_answer_about_a_method_is_none),
    Planted(
        faulty.StartsASetupForEveryClick,
        CASES.test_starting_again_with_the_same_key_is_the_same_setup,
    ),
    Planted(faulty.GivesBackUnderANewKey, CASES.test_the_same_key_gives_back_once),
    Planted(faulty.GivesBackHalf, CASES.test_a_charge_goes_back),
    Planted(
        faulty.ListsNoRefundWhenItCannotLook, CASES.test_a_broken_line_is_no_empty_list_of_refunds
    ),
    Planted(faulty.ForgetsThePagesOfRefunds, CASES.test_every_page_of_refunds_is_read),
    Planted(faulty.ForgetsThePagesOfDisputes, CASES.test_every_page_of_disputes_is_read),
    Planted(faulty.ForgetsThePagesOfEvents, CASES.test_every_page_is_read_and_nothing_twice),
    Planted(faulty.ForgetsThePagesOfTheReport, CASES.test_every_charge_appears_once),
    Planted(faulty.ReportsNoFees, CASES.test_the_lines_add_up_to_the_payouts_and_the_balance),
)


def everywhere() -> list[Any]:
    """Each fault at each processor that can have it, processor by processor."""
    return [
        pytest.param(
            name, planted, id=f"{name}-{planted.fault.__name__}-{planted.case.__name__[5:]}"
        )
        for name, (stage, _) in STAGES.items()
        for planted in PLANTED
        if name in planted.where and planted.needs not in stage.lacks
    ]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def theatres() -> AsyncIterator[dict[str, Stage]]:
    async with contextlib.AsyncExitStack() as house:
        yield {
            name: await house.enter_async_context(opened()) for name, (_, opened) in STAGES.items()
        }


@pytest.mark.parametrize(("name", "planted"), everywhere())
async def test_a_planted_fault_is_noticed(
    theatres: dict[str, Stage], name: str, planted: Planted
) -> None:
    stage = theatres[name]
    await stage.clear()
    await planted.case(stage, **planted.inputs)
    adapters = (stage.processor, stage.impatient)
    sound = [type(adapter) for adapter in adapters]
    for adapter in adapters:
        faulty.plant(planted.fault, adapter)
    await stage.clear()
    try:
        with pytest.raises(NOTICED):
            await planted.case(stage, **planted.inputs)
    finally:
        for adapter, kind in zip(adapters, sound, strict=True):
            adapter.__class__ = kind
