"""The vault: what is sealed for one row opens nowhere else, and keys can be changed."""

import os

import pytest

from twintill.errors import VaultError
from twintill.ids import Scope
from twintill.store.vault import Vault

SCOPE = Scope("acct_1", False)
OLD, NEW = b"o" * 32, b"n" * 32
ROW = ("payment_methods", "pm_1")


def test_it_opens_what_it_sealed() -> None:
    vault = Vault([NEW])
    assert vault.open(vault.seal(b"tok", SCOPE, *ROW), SCOPE, *ROW) == b"tok"


def test_no_two_seals_are_alike() -> None:
    vault = Vault([NEW])
    assert vault.seal(b"tok", SCOPE, *ROW) != vault.seal(b"tok", SCOPE, *ROW)


@pytest.mark.parametrize(
    ("scope", "row"),
    [
        (Scope("acct_2", False), ROW),
        (Scope("acct_1", True), ROW),
        (SCOPE, ("payment_methods", "pm_2")),
        (SCOPE, ("attempts", "pm_1")),
    ],
)
def test_elsewhere_it_does_not_open(scope: Scope, row: tuple[str, str]) -> None:
    vault = Vault([NEW])
    with pytest.raises(VaultError, match="another row"):
        vault.open(vault.seal(b"tok", SCOPE, *ROW), scope, *row)


def test_a_changed_byte_is_noticed() -> None:
    vault = Vault([NEW])
    sealed = bytearray(vault.seal(b"tok", SCOPE, *ROW))
    sealed[-1] ^= 1
    with pytest.raises(VaultError):
        vault.open(bytes(sealed), SCOPE, *ROW)


def test_an_older_key_still_opens_and_a_lost_one_says_so() -> None:
    sealed = Vault([OLD]).seal(b"tok", SCOPE, *ROW)
    assert Vault([NEW, OLD]).open(sealed, SCOPE, *ROW) == b"tok"
    with pytest.raises(VaultError, match="TWINTILL_ENCRYPTION_KEYS"):
        Vault([NEW]).open(sealed, SCOPE, *ROW)


def test_fingerprints_survive_a_newer_key() -> None:
    assert Vault([NEW, OLD]).fingerprint("tok") == Vault([OLD]).fingerprint("tok")
    assert Vault([OLD]).fingerprint("tok") != Vault([OLD]).fingerprint("tok2")


@pytest.mark.parametrize("keys", [[], [b"short"], [os.urandom(33)]])
def test_keys_are_32_bytes(keys: list[bytes]) -> None:
    with pytest.raises(VaultError):
        Vault(keys)
