"""The checkout page as people in other countries see it: their amounts, whole and in one piece."""

from playwright.async_api import expect

from tests.browser.conftest import Street, picture
from tests.flows import signing_up

HERE = [
    ("de-DE", "jpy", 4900, "4.900\u00a0¥"),
    ("ja-JP", "jpy", 4900, "￥4,900"),
    ("ar", "kwd", 1_234_560, "\u2068\u200f1,234.560\u00a0د.ك.\u200f\u2069"),
    ("is-IS", "isk", 4900_00, "4.900\u00a0kr."),
    ("ar", "isk", 4900_00, "\u2068\u200f4,900\u00a0ISK\u2069"),
    ("hu-HU", "huf", 12_345_00, "12\u00a0345,00\u00a0Ft"),
]


async def test_an_amount_as_it_is_written_there(street: Street) -> None:
    for locale, currency, minor, shown in HERE:
        price = await signing_up.price(street.world, minor, currency)
        signup = await street.sign_up(items=[{"price": price}])
        async with street.person(locale=locale, viewport={"width": 390, "height": 800}) as page:
            await page.goto(signup["checkout"]["url"])
            amount = page.get_by_role("region", name="Your order").locator("dd")
            await expect(amount).to_be_visible()
            assert await amount.text_content() == shown, (locale, currency)
            await picture(page, f"locale-{locale}-{currency}")


async def test_a_day_as_it_is_written_there(street: Street) -> None:
    for locale in ("de-DE", "ja-JP", "ar"):
        signup = await street.sign_up()
        async with street.person(locale=locale) as page:
            await page.goto(signup["checkout"]["url"])
            await page.get_by_label("Country").select_option("DE")
            await page.get_by_label("Postal code").fill("10115")
            await page.get_by_role("button", name="Continue").click()
            await page.get_by_role("radio", name="Card without funds", exact=False).first.check()
            await page.get_by_role("button", name="Store this method").click()
            heading = page.get_by_role("heading", level=1)
            await expect(heading).to_have_text("The payment was declined", timeout=20_000)
            await expect(page.get_by_text("Otherwise we try this one again on")).to_be_visible()
            await picture(page, f"locale-day-{locale}")
