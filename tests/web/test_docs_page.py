"""/docs: every call is on the page, and nothing comes from elsewhere."""

import re

import httpx


async def test_every_call_and_shape_is_on_the_page(client: httpx.AsyncClient) -> None:
    page = (await client.get("/docs")).text
    api = (await client.get("/openapi.json")).json()
    assert not [path for path in api["paths"] if path not in page]
    targets = set(re.findall(r'id="([^"]+)"', page))
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= targets
    assert "&lt;code&gt;" not in page


async def test_the_page_runs_no_script_and_loads_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get("/docs")
    assert "script" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert not re.findall(r'(?:src|href)="(?!#|data:|/openapi.json)', answer.text)


async def test_every_call_of_the_api_says_how_it_fails(client: httpx.AsyncClient) -> None:
    api = (await client.get("/openapi.json")).json()
    calls = {
        f"{method} {path}": call
        for path, item in api["paths"].items()
        if path.startswith("/v1/")
        for method, call in item.items()
    }
    silent = [name for name, call in calls.items() if "401" not in call["responses"]]
    unsafe = [name for name, call in calls.items() if not call.get("security")]
    wordless = [n for n, c in calls.items() if not (c.get("description") or n.endswith("}"))]
    assert (silent, unsafe, wordless) == ([], [], [])
    keyed = [n for n, c in calls.items() if "Idempotency-Key" in str(c.get("parameters"))]
    assert keyed == [name for name in calls if name.startswith("post ")]
