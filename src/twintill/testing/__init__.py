"""The contract that every adapter of a processor must keep, as tests that anybody can run.

It comes with the extra `twintill[testing]`; docs/write-a-processor.md tells how to use it.
"""

import pytest

# Before the cases are imported, so that a failed assertion shows what it compared.
pytest.register_assert_rewrite(
    *(
        f"twintill.testing.{name}"
        for name in (
            "charges",
            "disputes",
            "doubts",
            "methods",
            "refunds",
            "reports",
            "steps",
            "webhooks",
        )
    )
)

from twintill.testing.contract import Contract  # noqa: E402
from twintill.testing.stage import Behaviour, Fault, Lie, Stage, Trait  # noqa: E402

__all__ = ["Behaviour", "Contract", "Fault", "Lie", "Stage", "Trait"]
