"""Amounts of money as people write them on a terminal."""

import sys
from decimal import Decimal, InvalidOperation

import typer

from twintill.money import Money, stripe_exponent


def read_amount(text: str, option: str = "--amount") -> Money:
    """12.50EUR. Raises BadParameter: nothing is guessed, and nothing rounded."""
    money = read_signed(text, option)
    if money.minor <= 0:
        raise typer.BadParameter(f"{option} {text}: not above zero")
    return money


def read_signed(text: str, option: str) -> Money:
    """The same, below zero too: -5EUR is a credit."""
    number, currency = text[:-3].strip(), text[-3:].upper()
    try:
        exact = Decimal(number).scaleb(stripe_exponent(currency))
        money = Money(int(exact), currency)
    except (InvalidOperation, ValueError, OverflowError):
        raise typer.BadParameter(f"{option} {text}: write it as 12.50EUR") from None
    if exact != money.minor:
        raise typer.BadParameter(f"{option} {text}: not a whole number of minor units")
    return money


def shown(money: Money) -> str:
    """`1.234,50 EUR` for a German at a terminal; `1234.50 EUR` for whatever reads a pipe."""
    if not sys.stdout.isatty():
        return str(money)
    from twintill.display import amount_with_code, operators_locale

    return amount_with_code(money, operators_locale())
