"""Tests the page of the HTTP API, which shows the gateway's OpenAPI document."""

import json

import pytest

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture
def docs(page, cluster):
    page.open(f"{cluster.address}/docs")
    page.wait(lambda: page.shown("#reference"), "the description of the API")
    return page


@pytest.fixture
def document(cluster):
    return json.loads(cluster.ask("GET", "/openapi.json")[2])


def test_every_operation_parameter_response_and_schema_is_shown(docs, document):
    operations = [(path, method) for path, item in document["paths"].items() for method in item if method in METHODS]
    assert docs.texts("#operations > section[data-name] > h2") == [
        f"{method.upper()} {path}" for path, method in operations
    ]
    for path, method in operations:
        item = document["paths"][path]
        described = item[method]
        part = f"[id='{described['operationId']}']"
        shown = docs.texts(f"{part} tbody th")
        parameters = [each["name"] for each in (*item.get("parameters", []), *described.get("parameters", []))]
        assert [text.removesuffix(" required") for text in shown] == [*parameters, *sorted(described["responses"])]
        types = docs.texts(f"{part} p > code")
        assert set(described.get("requestBody", {}).get("content", {})) <= set(types)
    schemas = document["components"]["schemas"]
    assert docs.texts("#operations > section:not([data-name]) > h2") == list(schemas)
    for name, schema in schemas.items():
        if "properties" in schema:
            shown = docs.texts(f"#schema-{name} > div > .properties > li > .property")
            assert shown == list(schema["properties"])


def test_links_within_the_page_lead_somewhere(docs):
    broken = docs.run("""
        return [...document.querySelectorAll("a[href^='#']")].map((link) => link.getAttribute("href").slice(1))
            .filter((id) => !document.getElementById(id));
    """)
    assert broken == []


def test_page_loads_nothing_from_elsewhere(docs, cluster):
    loaded = docs.run("return performance.getEntriesByType('resource').map(({ name }) => name)")
    assert len(loaded) > 3 and all(name.startswith(cluster.address) for name in loaded)


def test_page_is_linked_from_the_others(page, cluster):
    for path in ("/", "/status"):
        page.open(cluster.address + path)
        assert page.all("footer a[href='/docs']") and page.all("nav a[href='/docs']")
