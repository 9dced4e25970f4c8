"""The checkout page in a real browser: keyboard, no script, dark, small; and every ending."""

from playwright.async_api import Page, expect

from tests.browser.conftest import Street, picture


async def fill(page: Page) -> None:
    await page.get_by_label("Country").select_option("DE")
    await page.get_by_label("Postal code").fill("10115")
    await page.get_by_role("button", name="Continue").click()


async def choose(page: Page, label: str = "Card that is approved") -> None:
    await page.get_by_role("radio", name=label, exact=False).first.check()
    await page.get_by_role("button", name="Store this method").click()


async def heading(page: Page, words: str) -> None:
    await expect(page.get_by_role("heading", level=1)).to_have_text(words, timeout=20_000)


async def test_a_person_signs_up_and_has_access(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await expect(page.get_by_text("€49.00")).to_be_visible()
        await picture(page, "1-form")
        await fill(page)
        await heading(page, "Choose how to pay")
        await choose(page)
        await heading(page, "Thank you")
        await picture(page, "2-paid")
        assert await street.state(signup) == "active"
        await page.get_by_role("link", name="Continue").click()
        await page.wait_for_url("**/healthz")


async def test_the_keyboard_is_enough(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Country")).to_be_focused()
        await page.keyboard.type("Germ")
        for label in ("Street and number", "City", "Postal code"):
            await page.keyboard.press("Tab")
            await expect(page.get_by_label(label)).to_be_focused()
        await page.keyboard.type("10115")
        await page.keyboard.press("Enter")
        await heading(page, "Choose how to pay")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await heading(page, "Thank you")
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("link", name="Continue")).to_be_focused()


async def test_without_script_all_of_it_works(street: Street) -> None:
    signup = await street.sign_up(automatic_tax=True)
    async with street.person(java_script_enabled=False) as page:
        await page.goto(signup["checkout"]["url"])
        await fill(page)
        await choose(page)
        await heading(page, "The amount has changed")
        await page.get_by_role("button", name="Yes, pay €58.31").click()
        await heading(page, "Thank you")
    assert [c["amount"] for c in await street.world.charges()] == [5831]


async def test_a_mistake_is_shown_where_it_is_and_the_focus_goes_to_it(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await page.get_by_label("Country").select_option("US")
        await page.get_by_label("Postal code").fill("123")
        await page.get_by_role("button", name="Continue").click()
        await expect(page).to_have_title("Error: Check out")
        await expect(page.get_by_role("alert")).to_be_focused()
        await picture(page, "3-mistake")
        await page.get_by_role("link", name="Enter a ZIP code").click()
        field = page.get_by_label("Postal code")
        await expect(field).to_be_focused()
        await expect(field).to_have_accessible_description(
            "Enter a ZIP code of five digits, such as 94105."
        )
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(page.get_by_label("Country")).to_have_value("US")


async def test_declined_then_another_method(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await fill(page)
        await choose(page, "Card without funds")
        await heading(page, "The payment was declined")
        await picture(page, "4-declined")
        await page.get_by_role("button", name="Try another payment method").click()
        await choose(page, "Wallet")
        await heading(page, "Thank you")
    assert len(await street.world.charges()) == 1


async def test_an_approval_that_the_bank_asks_for(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await fill(page)
        await choose(page, "Card that needs you")
        await heading(page, "Your approval is needed")
        await picture(page, "5-approval")
        there = await page.get_by_role("link", name="Approve the payment").get_attribute("href")
        assert there is not None
        assert await street.state(signup) == "action_required"


async def test_a_higher_amount_can_be_refused(street: Street) -> None:
    signup = await street.sign_up(automatic_tax=True)
    async with street.person(color_scheme="dark") as page:
        await page.goto(signup["checkout"]["url"])
        await fill(page)
        await choose(page)
        await heading(page, "The amount has changed")
        await picture(page, "6-confirm-dark")
        await page.get_by_role("button", name="No, cancel my order").click()
        await heading(page, "This checkout is closed")
        await picture(page, "7-closed-dark")
    assert await street.world.charges() == []


async def test_two_tabs_and_the_back_button_do_no_harm(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        other = await page.context.new_page()
        await other.goto(signup["checkout"]["url"])
        for tab in (page, other):
            await fill(tab)
            await heading(tab, "Choose how to pay")
        await choose(page)
        await choose(other)
        for tab in (page, other):
            await heading(tab, "Thank you")
        await page.go_back()
        await page.go_back()
        await page.goto(signup["checkout"]["url"] + "/return")
        await heading(page, "Thank you")
    assert len(await street.world.charges()) == 1


async def test_another_method_without_a_purchase(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        await fill(page)
        await choose(page)
        await heading(page, "Thank you")
        answer = await street.api.post(
            f"/v1/customers/{signup['customer']}/payment_methods",
            json={"return_url": f"{street.world.means.public_url}/healthz"},
        )
        await page.goto(answer.json()["url"])
        await heading(page, "Choose a new payment method")
        await picture(page, "8-method")
        await page.get_by_role("button", name="Choose a payment method").click()
        await choose(page, "Wallet")
        await heading(page, "Payment method stored")


async def test_it_follows_the_readers_colours(street: Street) -> None:
    signup = await street.sign_up()
    for scheme in ("light", "dark"):
        async with street.person(color_scheme=scheme) as page:
            await page.goto(signup["checkout"]["url"])
            ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
            red = int(ground.removeprefix("rgb(").split(",")[0])
            assert (red < 60) is (scheme == "dark")
            await picture(page, f"9-{scheme}")


async def test_it_fits_small_and_large_screens(street: Street) -> None:
    signup = await street.sign_up(description="A plan with a very long name " * 6)
    for width in (320, 390, 1280):
        async with street.person(viewport={"width": width, "height": 800}) as page:
            await page.goto(signup["checkout"]["url"])
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width
            sizes = await page.evaluate(
                "[...document.querySelectorAll('input,select,button')]"
                ".map(e => e.getBoundingClientRect().height)"
            )
            assert min(sizes) >= 44, width
            await picture(page, f"10-{width}")


async def test_it_has_landmarks_names_and_one_heading(street: Street) -> None:
    signup = await street.sign_up()
    async with street.person() as page:
        await page.goto(signup["checkout"]["url"])
        assert await page.get_by_role("main").count() == 1
        assert await page.get_by_role("heading", level=1).count() == 1
        assert await page.get_by_role("region", name="Your order").count() == 1
        assert await page.locator("html").get_attribute("lang") == "en"
        unnamed = await page.evaluate(
            "[...document.querySelectorAll('input,select')].filter(e => !e.labels.length).length"
        )
        assert unnamed == 0
