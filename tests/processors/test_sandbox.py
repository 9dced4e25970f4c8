"""The sandbox processor's adapter against the contract, over real HTTP."""

from tests.processors.sandbox_stage import SandboxStage, sandbox_stage
from twintill.processors.sandbox.currencies import EXPONENTS
from twintill.testing import Contract


class TestSandbox(Contract):
    opened = staticmethod(sandbox_stage)

    async def test_the_adapter_counts_as_the_processor_says(self, stage: SandboxStage) -> None:
        account = (await stage.admin.get("/v1/account")).json()
        assert account["exponents"] == EXPONENTS
