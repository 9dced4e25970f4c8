"""What every adapter must do: the same cases run against each processor's stand-in.

An adapter passes by subclassing these classes, and those for webhooks, with a `stage` of its own.
"""

from dataclasses import replace
from typing import Any

import pytest

from tests.processors.stage import SEARCH, Stage, charged, order, prepared
from twintill.domain.outcomes import (
    Accepted,
    Approved,
    Declined,
    DeclineKind,
    Finality,
    NeedsCustomer,
    NoAnswer,
    NotFound,
    NotSent,
    NotSentReason,
)
from twintill.errors import ProcessorError, ProcessorUnreachable
from twintill.money import Money
from twintill.processors import MethodStatus, SetupRequest, SetupStatus


class ChargeContract:
    async def test_a_good_card_is_approved(self, stage: Stage) -> None:
        outcome = await charged(stage, "approved")
        assert isinstance(outcome, Approved)
        assert outcome.amount == Money(4900, "EUR")
        assert outcome.finality is Finality.FINAL

    @pytest.mark.parametrize(
        ("behaviour", "kind"),
        [
            ("soft", DeclineKind.SOFT),
            ("hard", DeclineKind.HARD),
            ("stolen", DeclineKind.FRAUD),
            ("expired", DeclineKind.UPDATE_METHOD),
        ],
    )
    async def test_a_decline_says_what_it_means_for_the_next_try(
        self, stage: Stage, behaviour: str, kind: DeclineKind
    ) -> None:
        outcome = await charged(stage, behaviour)
        assert isinstance(outcome, Declined)
        assert outcome.kind is kind
        assert outcome.code
        assert await stage.taken("tw-1") == 0

    async def test_a_revoked_method_is_declined_as_revoked(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.revoke_as_customer(method)
        outcome = await stage.processor.charge(prepared(stage, order(method)))
        assert isinstance(outcome, Declined)
        assert outcome.kind is DeclineKind.REVOKED

    async def test_a_decline_and_then_a_new_key_is_approved(self, stage: Stage) -> None:
        method = await stage.method("declines_once")
        first = await stage.processor.charge(prepared(stage, order(method, "tw-1"), "key-1"))
        second = await stage.processor.charge(prepared(stage, order(method, "tw-2"), "key-2"))
        assert isinstance(first, Declined)
        assert isinstance(second, Approved)

    async def test_a_bank_debit_is_accepted_then_confirmed_then_final(self, stage: Stage) -> None:
        accepted = await charged(stage, "debit")
        assert isinstance(accepted, Accepted)
        assert accepted.expected_at is not None
        await stage.pass_days(2)
        approved = await stage.processor.get_charge(accepted.processor_payment_id)
        assert isinstance(approved, Approved)
        assert approved.finality is Finality.PROVISIONAL
        await stage.pass_days(30)
        final = await stage.processor.get_charge(accepted.processor_payment_id)
        assert isinstance(final, Approved)
        assert final.finality is Finality.FINAL

    @pytest.mark.parametrize("behaviour", ["debit_fails", "debit_fails_late"])
    async def test_a_bank_debit_can_fail(self, stage: Stage, behaviour: str) -> None:
        accepted = await charged(stage, behaviour)
        assert isinstance(accepted, Accepted)
        await stage.pass_days(30)
        outcome = await stage.processor.get_charge(accepted.processor_payment_id)
        assert isinstance(outcome, Declined)
        assert await stage.taken("tw-1") == 0

    async def test_a_pending_charge_can_be_canceled(self, stage: Stage) -> None:
        accepted = await charged(stage, "debit")
        assert isinstance(accepted, Accepted)
        for _ in range(2):
            state = await stage.processor.cancel_charge(accepted.processor_payment_id)
            assert isinstance(state, Declined)
        await stage.pass_days(30)
        assert await stage.taken("tw-1") == 0

    async def test_canceling_too_late_answers_what_it_came_to(self, stage: Stage) -> None:
        approved = await charged(stage, "approved")
        assert isinstance(approved, Approved)
        state = await stage.processor.cancel_charge(approved.processor_payment_id)
        assert state == approved

    async def test_canceling_what_does_not_exist_finds_nothing(self, stage: Stage) -> None:
        assert await stage.processor.cancel_charge("chg_none") == NotFound()
        assert await stage.processor.get_charge("chg_none") == NotFound()

    @pytest.mark.parametrize(("approve", "end"), [(True, Approved), (False, Declined)])
    async def test_a_charge_can_need_the_customer(
        self, stage: Stage, approve: bool, end: type
    ) -> None:
        waiting = await charged(stage, "needs_customer")
        assert isinstance(waiting, NeedsCustomer)
        assert await stage.taken("tw-1") == 0
        await stage.act_as_customer(waiting.processor_payment_id, approve=approve)
        assert isinstance(await stage.processor.get_charge(waiting.processor_payment_id), end)

    async def test_a_customer_who_never_answers_declines(self, stage: Stage) -> None:
        waiting = await charged(stage, "needs_customer")
        assert isinstance(waiting, NeedsCustomer)
        await stage.pass_days(30)
        state = await stage.processor.get_charge(waiting.processor_payment_id)
        assert isinstance(state, Declined)
        assert state.kind is DeclineKind.AUTH_REQUIRED

    async def test_a_lost_answer_is_no_answer_and_is_found(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("answer_lost")))
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        assert isinstance(await stage.processor.find_charge(SEARCH), Approved)
        assert await stage.taken("tw-1") == 4900

    async def test_a_lost_request_is_no_answer_and_is_not_found(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("request_lost")))
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        assert await stage.processor.find_charge(SEARCH) == NotFound()
        assert isinstance(await stage.processor.charge(charge), Approved)
        assert await stage.taken("tw-1") == 4900

    async def test_the_same_key_answers_the_same_and_takes_once(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        first = await stage.processor.charge(charge)
        assert await stage.processor.charge(charge) == first
        assert await stage.taken("tw-1") == 4900

    async def test_the_same_key_with_another_body_is_in_doubt(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.processor.charge(prepared(stage, order(method)))
        other = prepared(stage, order(method, amount=Money(5000, "EUR")))
        assert isinstance(await stage.processor.charge(other), NoAnswer)
        assert await stage.taken("tw-1") == 4900

    async def test_a_used_reference_under_another_key_is_in_doubt(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.processor.charge(prepared(stage, order(method), "key-1"))
        again = await stage.processor.charge(prepared(stage, order(method), "key-2"))
        assert isinstance(again, NoAnswer)
        assert await stage.taken("tw-1") == 4900

    async def test_a_declined_reference_may_be_used_again(self, stage: Stage) -> None:
        method = await stage.method("declines_once")
        await stage.processor.charge(prepared(stage, order(method), "key-1"))
        again = await stage.processor.charge(prepared(stage, order(method), "key-2"))
        assert isinstance(again, Approved) is (
            stage.processor.capabilities.reuses_reference_after_decline
        )
        assert await stage.processor.find_charge(SEARCH) == again

    async def test_a_request_still_in_flight_is_in_doubt(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("slow")))
        assert isinstance(await stage.impatient.charge(charge), NoAnswer)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    async def test_a_server_error_is_no_answer(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("error_after")))
        assert isinstance(await stage.processor.charge(charge), NoAnswer)
        assert isinstance(await stage.processor.find_charge(SEARCH), Approved)

    @pytest.mark.parametrize(("kind", "taken"), [("reset_before", 0), ("reset_after", 4900)])
    async def test_a_cut_connection_is_no_answer(self, stage: Stage, kind: str, taken: int) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        await stage.break_line(kind)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)
        assert await stage.taken("tw-1") == taken

    @pytest.mark.parametrize("status", [302, 400, 404, 408, 409, 418, 500, 502, 503, 504])
    async def test_a_status_that_proves_nothing_is_no_answer(
        self, stage: Stage, status: int
    ) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        await stage.break_line("status", code=status, act=True, body="<html>sorry</html>")
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    @pytest.mark.parametrize("body", ["", "[]", "{}", "null", '{"id":', "[" * 100_000, "\ud83d"])
    async def test_an_unreadable_success_is_no_answer(self, stage: Stage, body: str) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        text = body.encode("utf-8", "replace").decode()
        await stage.break_line("status", code=201, act=True, body=text)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"amount": 4901},
            {"amount": 4900.0},
            {"amount": "4900"},
            {"currency": "USD"},
            {"reference": "tw-2"},
            {"status": "declined"},
            {"status": "moonlit"},
            {"id": None},
            {"finality": "perhaps"},
        ],
    )
    async def test_a_self_contradictory_success_is_no_answer(
        self, stage: Stage, wrong: dict[str, Any]
    ) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        await stage.falsify(**wrong)
        assert isinstance(await stage.processor.charge(charge), NoAnswer)

    async def test_too_many_requests_is_not_sent_with_its_wait(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        await stage.break_line("status", code=429, headers={"Retry-After": "17"})
        outcome = await stage.processor.charge(charge)
        assert isinstance(outcome, NotSent)
        assert (outcome.reason, outcome.wait_s) == (NotSentReason.RATE, 17)

    async def test_wrong_credentials_are_not_sent(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        outcome = await stage.with_wrong_credentials().charge(charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.CREDENTIALS

    async def test_a_refused_connection_is_not_sent(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        outcome = await stage.unreachable().charge(charge)
        assert isinstance(outcome, NotSent)
        assert outcome.reason is NotSentReason.NETWORK

    async def test_looking_up_through_a_broken_line_is_not_not_found(self, stage: Stage) -> None:
        await stage.break_line("status", code=500)
        assert isinstance(await stage.processor.find_charge(SEARCH), NoAnswer)
        await stage.break_line("status", code=404, body="no such page")
        assert isinstance(await stage.processor.get_charge("chg_1"), NoAnswer)
        assert isinstance(await stage.unreachable().find_charge(SEARCH), NotSent)

    async def test_nothing_is_ever_repeated_by_the_adapter(self, stage: Stage) -> None:
        charge = prepared(stage, order(await stage.method("approved")))
        for kind in ("reset_before", "reset_after", "status"):
            before = await stage.charge_requests()
            await stage.break_line(kind)
            await stage.processor.charge(charge)
            assert await stage.charge_requests() == before + 1

    async def test_an_amount_that_cannot_be_expressed_is_not_sent(self, stage: Stage) -> None:
        request = order(await stage.method("approved"), amount=stage.inexact)
        refused = stage.processor.prepare_charge(request, "key-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.INEXACT

    async def test_each_currency_is_counted_as_the_processor_counts(self, stage: Stage) -> None:
        amount, sent = stage.odd_exponent
        charge = prepared(stage, order(await stage.method("approved"), amount=amount))
        outcome = await stage.processor.charge(charge)
        assert isinstance(outcome, Approved)
        assert outcome.amount == amount
        assert await stage.taken("tw-1") == sent

    async def test_a_zero_decimal_currency_comes_back_the_same(self, stage: Stage) -> None:
        yen = order(await stage.method("approved"), amount=Money(500, "JPY"))
        outcome = await stage.processor.charge(prepared(stage, yen))
        assert isinstance(outcome, Approved)
        assert outcome.amount == Money(500, "JPY")

    async def test_a_currency_that_is_not_taken_is_not_sent(self, stage: Stage) -> None:
        request = order(await stage.method("approved"), amount=Money(100, "XTS"))
        refused = stage.processor.prepare_charge(request, "key-1")
        assert isinstance(refused, NotSent)
        assert refused.reason is NotSentReason.CONFIG

    async def test_equal_requests_are_equal_bytes(self, stage: Stage) -> None:
        method = await stage.method("approved")
        one = prepared(stage, order(method, metadata={"a": "1", "b": "2"}))
        same = prepared(stage, order(method, metadata={"b": "2", "a": "1"}))
        assert one.body == same.body


class MethodContract:
    def request(self, key: str = "setup-1") -> SetupRequest:
        return SetupRequest(
            idempotency_key=key,
            customer_reference="tw-customer-1",
            return_url="https://shop.example/back?order=1",
            cancel_url="https://shop.example/cart",
            currency="EUR",
            description="Team plan",
        )

    async def test_a_finished_setup_gives_a_method_that_can_be_charged(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(self.request())
        assert session.url.startswith("http")
        await stage.finish_setup(session.session_id)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.COMPLETE
        assert result.method is not None
        assert result.method.kind in stage.processor.capabilities.method_kinds
        assert result.display
        outcome = await stage.processor.charge(prepared(stage, order(result.method)))
        assert isinstance(outcome, Approved)

    async def test_starting_again_with_the_same_key_is_the_same_setup(self, stage: Stage) -> None:
        first = await stage.processor.start_setup(self.request())
        assert await stage.processor.start_setup(self.request()) == first

    async def test_a_setup_is_open_until_the_customer_finishes(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(self.request())
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.OPEN
        assert result.method is None

    async def test_a_setup_can_be_canceled_twice(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(self.request())
        for _ in range(2):
            await stage.processor.cancel_setup(session.session_id)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.CANCELED
        await stage.processor.cancel_setup("ses_none")

    async def test_a_finished_setup_is_not_canceled(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(self.request())
        await stage.finish_setup(session.session_id)
        with pytest.raises(ProcessorError):
            await stage.processor.cancel_setup(session.session_id)

    async def test_an_abandoned_setup_expires(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(self.request())
        await stage.pass_days(30)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.EXPIRED

    async def test_a_method_can_be_revoked_twice(self, stage: Stage) -> None:
        method = await stage.method("approved")
        for _ in range(2):
            await stage.processor.revoke_method(method)
        outcome = await stage.processor.charge(prepared(stage, order(method)))
        assert isinstance(outcome, Declined)
        assert outcome.kind is DeclineKind.REVOKED

    async def test_a_method_is_shown_as_it_is(self, stage: Stage) -> None:
        method = await stage.method("approved")
        state = await stage.processor.get_method(method)
        assert state.status is MethodStatus.ACTIVE
        assert state.display
        await stage.revoke_as_customer(method)
        assert (await stage.processor.get_method(method)).status is MethodStatus.REVOKED
        unknown = replace(method, token=f"{method.token}x")
        assert (await stage.processor.get_method(unknown)).status is MethodStatus.GONE

    async def test_no_answer_about_a_method_is_none(self, stage: Stage) -> None:
        method = await stage.method("approved")
        for code, body in ((404, "no such page"), (500, "{}"), (200, "<html>"), (200, "{}")):
            await stage.break_line("status", code=code, body=body)
            with pytest.raises(ProcessorError):
                await stage.processor.get_method(method)
        for there in (stage.unreachable(), stage.with_wrong_credentials()):
            with pytest.raises(ProcessorError):
                await there.get_method(method)

    async def test_a_broken_line_raises_and_never_counts_as_gone(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.break_line("status", code=404, body="no such page")
        with pytest.raises(ProcessorError):
            await stage.processor.revoke_method(method)
        await stage.break_line("status", code=200, body="<html>")
        with pytest.raises(ProcessorError):
            await stage.processor.start_setup(self.request())
        with pytest.raises(ProcessorError):
            await stage.unreachable().get_setup("ses_1")
        with pytest.raises(ProcessorError):
            await stage.with_wrong_credentials().revoke_method(method)

    async def test_a_stray_page_is_no_refusal(self, stage: Stage) -> None:
        method = await stage.method("approved")
        await stage.break_line("status", code=201, body="<html>")
        with pytest.raises(ProcessorUnreachable):
            await stage.processor.revoke_method(method)

    async def test_the_token_stays_out_of_every_repr(self, stage: Stage) -> None:
        method = await stage.method("approved")
        charge = prepared(stage, order(method))
        assert method.token not in f"{method!r} {order(method)!r} {charge!r}"
