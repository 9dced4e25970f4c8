"""Payment methods: collected on a page, shown, and taken back."""

import pytest

from twintill.domain.outcomes import Approved, Declined, DeclineKind
from twintill.errors import ProcessorError, ProcessorUnreachable
from twintill.processors import MethodStatus, SetupRequest, SetupStatus
from twintill.testing.stage import Behaviour, Stage, Trait
from twintill.testing.steps import ended, needs, order, prepared


def request(stage: Stage, key: str = "setup-1") -> SetupRequest:
    return SetupRequest(
        idempotency_key=key,
        customer_reference="tw-customer-1",
        return_url="https://shop.example/back?order=1",
        cancel_url="https://shop.example/cart",
        currency=stage.amount.currency,
        description="Team plan",
    )


class MethodContract:
    part = "Payment methods"

    async def test_set_up_without_the_browser_coming_back(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(request(stage))
        assert session.url.startswith("http")
        await stage.finish_setup(session.session_id)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.COMPLETE
        assert result.method is not None
        assert result.method.kind in stage.processor.capabilities.method_kinds
        assert result.display
        charge = prepared(stage, order(stage, result.method))
        assert isinstance(await ended(stage, await stage.processor.charge(charge)), Approved)

    async def test_a_finished_setup_is_the_same_each_time(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(request(stage))
        await stage.finish_setup(session.session_id)
        first = await stage.processor.get_setup(session.session_id)
        assert await stage.processor.get_setup(session.session_id) == first

    async def test_starting_again_with_the_same_key_is_the_same_setup(self, stage: Stage) -> None:
        first = await stage.processor.start_setup(request(stage))
        again = await stage.processor.start_setup(request(stage))
        assert again.session_id == first.session_id
        other = await stage.processor.start_setup(request(stage, "setup-2"))
        assert other.session_id != first.session_id

    async def test_a_setup_is_open_until_the_customer_finishes(self, stage: Stage) -> None:
        session = await stage.processor.start_setup(request(stage))
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.OPEN
        assert result.method is None

    async def test_a_setup_can_be_canceled_twice(self, stage: Stage) -> None:
        needs(stage, Trait.SETUP_CANCELS)
        session = await stage.processor.start_setup(request(stage))
        for _ in range(2):
            await stage.processor.cancel_setup(session.session_id)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.CANCELED

    async def test_canceling_a_setup_that_is_gone_is_done(self, stage: Stage) -> None:
        await stage.processor.cancel_setup(stage.unknown_setup_id)

    async def test_a_finished_setup_is_not_canceled(self, stage: Stage) -> None:
        needs(stage, Trait.SETUP_CANCELS)
        session = await stage.processor.start_setup(request(stage))
        await stage.finish_setup(session.session_id)
        with pytest.raises(ProcessorError):
            await stage.processor.cancel_setup(session.session_id)

    async def test_an_abandoned_setup_expires(self, stage: Stage) -> None:
        needs(stage, Trait.SETUP_EXPIRES)
        session = await stage.processor.start_setup(request(stage))
        await stage.pass_days(30)
        result = await stage.processor.get_setup(session.session_id)
        assert result.status is SetupStatus.EXPIRED

    async def test_an_account_that_is_not_enabled_says_so(self, stage: Stage) -> None:
        needs(stage, Trait.NOT_ENABLED)
        await stage.disable_account()
        with pytest.raises(ProcessorError, match=" ") as refused:
            await stage.processor.start_setup(request(stage))
        assert not isinstance(refused.value, ProcessorUnreachable)

    async def test_a_method_can_be_revoked_twice(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        for _ in range(2):
            await stage.processor.revoke_method(method)
        outcome = await stage.processor.charge(prepared(stage, order(stage, method)))
        assert isinstance(outcome, Declined)
        assert outcome.kind is DeclineKind.REVOKED

    async def test_a_method_is_shown_as_it_is(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        state = await stage.processor.get_method(method)
        assert state.status is MethodStatus.ACTIVE
        assert state.display
        gone = (await stage.processor.get_method(stage.unknown_method)).status
        assert gone is MethodStatus.GONE

    async def test_a_method_that_the_customer_revoked_is_shown_so(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        await stage.revoke_as_customer(method)
        status = (await stage.processor.get_method(method)).status
        knows = Trait.KNOWS_REVOKED not in stage.lacks
        assert status is (MethodStatus.REVOKED if knows else MethodStatus.GONE)

    async def test_no_answer_about_a_method_is_none(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        for status, body in ((404, "no such page"), (500, "{}"), (200, "<html>"), (200, "{}")):
            await stage.answer_next(status, body)
            with pytest.raises(ProcessorError):
                await stage.processor.get_method(method)
        for there in (stage.unreachable(), stage.with_wrong_credentials()):
            with pytest.raises(ProcessorError):
                await there.get_method(method)

    async def test_a_broken_line_raises_and_never_counts_as_gone(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        await stage.answer_next(404, "no such page")
        with pytest.raises(ProcessorError):
            await stage.processor.revoke_method(method)
        await stage.answer_next(200, "<html>")
        with pytest.raises(ProcessorError):
            await stage.processor.start_setup(request(stage))
        with pytest.raises(ProcessorError):
            await stage.unreachable().get_setup(stage.unknown_setup_id)
        with pytest.raises(ProcessorError):
            await stage.with_wrong_credentials().revoke_method(method)

    async def test_a_stray_page_is_no_refusal(self, stage: Stage) -> None:
        method = await stage.method(Behaviour.APPROVED)
        await stage.answer_next(201, "<html>")
        with pytest.raises(ProcessorUnreachable):
            await stage.processor.revoke_method(method)
