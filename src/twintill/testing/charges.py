"""Charging: what a charge comes to, in which currency, and what is never sent at all."""

import pytest

from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    DeclineKind,
    Finality,
    NeedsCustomer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.money import Money
from twintill.processors import Tells
from twintill.testing.stage import Behaviour, Stage, Trait
from twintill.testing.steps import (
    approved,
    charged,
    declined,
    ended,
    needs,
    not_applicable,
    order,
    prepared,
    zero_decimal,
)


class ChargeContract:
    part = "Charging"

    async def test_a_good_method_is_approved(self, stage: Stage) -> None:
        outcome = await approved(stage)
        assert outcome.amount == stage.amount
        assert not outcome.partial
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_the_answer_comes_when_the_capabilities_say(self, stage: Stage) -> None:
        outcome = await charged(stage, Behaviour.APPROVED)
        later = stage.processor.capabilities.tells is Tells.LATER
        assert isinstance(outcome, Accepted if later else Approved)

    @pytest.mark.parametrize(
        ("behaviour", "kind"),
        [
            (Behaviour.SOFT, DeclineKind.SOFT),
            (Behaviour.HARD, DeclineKind.HARD),
            (Behaviour.STOLEN, DeclineKind.FRAUD),
            (Behaviour.EXPIRED, DeclineKind.UPDATE_METHOD),
        ],
    )
    async def test_a_decline_says_what_it_means_for_the_next_try(
        self, stage: Stage, behaviour: Behaviour, kind: DeclineKind
    ) -> None:
        outcome = await declined(stage, behaviour)
        assert outcome.kind is kind
        assert outcome.code
        assert await stage.taken("tw-1") == 0

    async def test_a_revoked_token_is_declined_as_revoked(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        await stage.revoke_as_customer(method)
        outcome = await stage.processor.charge(prepared(stage, order(stage, method)))
        assert isinstance(outcome, Declined)
        assert outcome.kind is DeclineKind.REVOKED

    async def test_after_a_decline_a_new_key_is_a_new_charge(self, stage: Stage) -> None:
        needs(stage, Behaviour.DECLINES_ONCE)
        method = await stage.method(Behaviour.DECLINES_ONCE)
        one = prepared(stage, order(stage, method, "tw-1"), "key-1")
        two = prepared(stage, order(stage, method, "tw-2"), "key-2")
        assert isinstance(await ended(stage, await stage.processor.charge(one)), Declined)
        assert isinstance(await ended(stage, await stage.processor.charge(two)), Approved)
        assert await stage.taken("tw-2") == stage.amount.minor

    async def test_a_pending_charge_is_accepted_and_told_later(self, stage: Stage) -> None:
        accepted = await charged(stage, Behaviour.PENDS)
        assert isinstance(accepted, Accepted)
        assert await stage.taken("tw-1") == 0
        told = await ended(stage, accepted)
        assert isinstance(told, Approved)
        assert told.amount == stage.amount

    async def test_provisional_money_becomes_final(self, stage: Stage) -> None:
        accepted = await charged(stage, Behaviour.PENDS)
        told = await ended(stage, accepted)
        assert isinstance(told, Approved)
        if told.finality is Finality.FINAL:
            assert not stage.processor.capabilities.final_after_days
            not_applicable("what it tells as approved is final")
        assert stage.processor.capabilities.final_after_days
        await stage.pass_days(stage.processor.capabilities.final_after_days)
        final = await stage.processor.get_charge(told.processor_payment_id)
        assert isinstance(final, Approved)
        assert final.finality is Finality.FINAL

    async def test_a_pending_charge_can_fail(self, stage: Stage) -> None:
        accepted = await charged(stage, Behaviour.PENDS_THEN_FAILS)
        assert isinstance(accepted, Accepted)
        assert isinstance(await ended(stage, accepted), Declined)
        assert await stage.taken("tw-1") == 0

    async def test_what_failed_late_is_declined_in_the_end(self, stage: Stage) -> None:
        told = await approved(stage, Behaviour.FAILS_LATE)
        await stage.pass_days(30)
        outcome = await stage.processor.get_charge(told.processor_payment_id)
        assert isinstance(outcome, Declined)
        assert await stage.taken("tw-1") == 0

    async def test_a_pending_charge_can_be_canceled(self, stage: Stage) -> None:
        if not stage.processor.capabilities.can_cancel_pending:
            not_applicable("it cancels no charge")
        accepted = await charged(stage, Behaviour.PENDS)
        assert isinstance(accepted, Accepted)
        for _ in range(2):
            state = await stage.processor.cancel_charge(accepted.processor_payment_id)
            assert isinstance(state, Declined)
        await stage.pass_days(30)
        assert await stage.taken("tw-1") == 0

    async def test_canceling_too_late_answers_what_it_came_to(self, stage: Stage) -> None:
        told = await approved(stage)
        assert await stage.processor.cancel_charge(told.processor_payment_id) == told
        assert await stage.taken("tw-1") == stage.amount.minor

    async def test_a_charge_that_does_not_exist_is_not_found(self, stage: Stage) -> None:
        assert await stage.processor.get_charge(stage.unknown_charge_id) == NotFound()
        assert await stage.processor.cancel_charge(stage.unknown_charge_id) == NotFound()

    @pytest.mark.parametrize(("approve", "end"), [(True, Approved), (False, Declined)])
    async def test_a_charge_can_need_the_customer(
        self, stage: Stage, approve: bool, end: type
    ) -> None:
        waiting = await charged(stage, Behaviour.NEEDS_CUSTOMER)
        assert isinstance(waiting, NeedsCustomer)
        assert waiting.action_url.startswith("http")
        assert await stage.taken("tw-1") == 0
        await stage.act_as_customer(waiting.processor_payment_id, approve=approve)
        assert isinstance(await stage.processor.get_charge(waiting.processor_payment_id), end)

    async def test_a_customer_who_never_answers_declines(self, stage: Stage) -> None:
        waiting = await charged(stage, Behaviour.NEEDS_CUSTOMER)
        assert isinstance(waiting, NeedsCustomer)
        await stage.pass_days(30)
        state = await stage.processor.get_charge(waiting.processor_payment_id)
        assert isinstance(state, Declined)
        assert state.kind is DeclineKind.AUTH_REQUIRED

    async def test_an_amount_that_cannot_be_expressed_is_not_sent(self, stage: Stage) -> None:
        needs(stage, Trait.INEXACT)
        request = order(stage, await stage.method(Behaviour.APPROVED), amount=stage.inexact)
        refused = stage.processor.prepare_charge(request, "key-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.INEXACT

    async def test_each_currency_is_counted_as_the_processor_counts(self, stage: Stage) -> None:
        needs(stage, Trait.ODD_EXPONENT)
        amount, sent = stage.odd_exponent
        method = await stage.method(Behaviour.APPROVED)
        charge = prepared(stage, order(stage, method, amount=amount))
        outcome = await ended(stage, await stage.processor.charge(charge))
        assert isinstance(outcome, Approved)
        assert outcome.amount == amount
        assert await stage.taken("tw-1") == sent

    async def test_a_zero_decimal_currency_comes_back_the_same(self, stage: Stage) -> None:
        amount = Money(500, zero_decimal(stage))
        method = await stage.method(Behaviour.APPROVED)
        charge = prepared(stage, order(stage, method, amount=amount))
        outcome = await ended(stage, await stage.processor.charge(charge))
        assert isinstance(outcome, Approved)
        assert outcome.amount == amount

    async def test_a_currency_that_is_not_offered_is_not_sent(self, stage: Stage) -> None:
        request = order(stage, await stage.method(Behaviour.APPROVED), amount=Money(100, "XTS"))
        refused = stage.processor.prepare_charge(request, "key-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.CONFIG
        assert "XTS" in refused.detail

    @pytest.mark.parametrize("description", ["", "Größe M – 2 × ☕\n\t\0", "long " * 200])
    async def test_any_description_is_taken(self, stage: Stage, description: str) -> None:
        request = order(stage, await stage.method(Behaviour.APPROVED), description=description)
        outcome = await stage.processor.charge(prepared(stage, request))
        assert isinstance(outcome, Approved | Accepted)

    async def test_equal_requests_are_equal_bytes(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        one = prepared(stage, order(stage, method, metadata={"a": "1", "b": "2"}))
        same = prepared(stage, order(stage, method, metadata={"b": "2", "a": "1"}))
        assert one.body == same.body

    async def test_the_token_stays_out_of_every_repr(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        charge = prepared(stage, order(stage, method))
        assert method.token not in f"{method!r} {order(stage, method)!r} {charge!r}"
