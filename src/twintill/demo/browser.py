"""A browser without a screen: fetches pages, fills in their forms, follows where they lead.

It runs no JavaScript, so whatever the demo gets through, every customer gets through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urljoin, urlsplit

import httpx

from twintill.demo.trouble import StoryBroken

_REDIRECTS_MAX = 10
_SILENT = frozenset(("script", "style", "title", "template"))


@dataclass(slots=True)
class Form:
    """Where it goes, what it would send as it stands, and its buttons by what they say."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Page:
    """What a person would see, and could send."""

    url: str
    status: int
    words: str
    forms: list[Form]
    links: list[str]

    def form_with(self, name: str) -> Form:
        """The form that asks for this field. Raises StoryBroken."""
        for form in self.forms:
            if name in form.names:
                return form
        raise StoryBroken(f"{self.url} has no form that asks for '{name}'. It says: {self.words}")


class Browser:
    """One customer's: his own cookies and his own address on the internet."""

    def __init__(self, ip_address: str) -> None:
        self._client = httpx.AsyncClient(
            headers={
                # The demo stands where a proxy would, and says for whom it asks.
                "x-forwarded-for": ip_address,
                "accept-language": "en-IE,en;q=0.8",
                "accept": "text/html",
            },
            trust_env=False,
            timeout=30,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def open(self, url: str) -> Page:
        return await self._arrive(await self._client.get(url))

    async def submit(
        self,
        page: Page,
        form: Form,
        fill_in: Mapping[str, str],
        button: str | None = None,
        *,
        follows: bool = True,
    ) -> Page:
        """Send the form with these fields filled in, pressing the button that says so.

        `follows`: else it goes nowhere after that, as when the battery is empty.
        """
        data = {**form.fields, **fill_in}
        if button is not None:
            pressed = [v for words, v in form.buttons.items() if button.lower() in words.lower()]
            if not pressed:
                raise StoryBroken(f"{page.url} has no button '{button}': {list(form.buttons)}")
            data |= dict(pressed[:1])
        target = urljoin(page.url, form.action)
        if form.method == "get":
            return await self._arrive(await self._client.get(target, params=data))
        parts = urlsplit(page.url)
        headers = {"origin": f"{parts.scheme}://{parts.netloc}", "referer": page.url}
        answer = await self._client.post(target, data=data, headers=headers)
        return await self._arrive(answer) if follows else read_page(target, answer.status_code, "")

    async def _arrive(self, answer: httpx.Response) -> Page:
        for _ in range(_REDIRECTS_MAX):
            if not answer.is_redirect:
                return read_page(str(answer.url), answer.status_code, answer.text)
            target = urljoin(str(answer.url), answer.headers["location"])
            answer = await self._client.get(target)
        raise StoryBroken(f"{answer.url} redirects without end")


def read_page(url: str, status: int, html: str) -> Page:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Page(url, status, " ".join(" ".join(reader.words).split()), reader.forms, reader.links)


class _Reader(HTMLParser):
    """Collects words, links and forms; enough of HTML for pages made of plain forms."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.forms: list[Form] = []
        self.links: list[str] = []
        self._silent = 0
        self._form: Form | None = None
        self._select: str | None = None
        self._button: tuple[str, str] | None = None
        self._button_words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._silent += tag in _SILENT
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "form":
            self._form = Form(given.get("action", ""), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif self._form is not None:
            self._control(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in _SILENT
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "button" and self._form is not None and self._button is not None:
            words = " ".join(" ".join(self._button_words).split())
            self._form.buttons[words] = self._button
            self._button = None

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.words.append(data)
        if self._button is not None:
            self._button_words.append(data)

    def _control(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        name = given.get("name", "")
        if tag == "button":
            self._button, self._button_words = (name, given.get("value", "")), []
        elif tag == "select":
            self._select = name
            form.names.add(name)
        elif tag == "option" and self._select:
            first = self._select not in form.fields
            if first or "selected" in given:
                form.fields[self._select] = given.get("value", "")
        elif tag in ("input", "textarea") and name:
            form.names.add(name)
            ticked = given.get("type") not in ("radio", "checkbox") or "checked" in given
            if ticked:
                form.fields[name] = given.get("value", "on" if "checked" in given else "")
