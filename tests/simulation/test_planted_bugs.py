"""Every planted bug still fits the code: one that no longer applies would prove nothing."""

from tests.simulation.prove import PATCHES, REPOSITORY, apply


def test_every_patch_applies() -> None:
    patches = sorted(PATCHES.glob("*.patch"))
    assert len(patches) >= 20
    refused = {patch.stem: apply(patch, REPOSITORY, "--check") for patch in patches}
    assert not [name for name, why in refused.items() if why]
