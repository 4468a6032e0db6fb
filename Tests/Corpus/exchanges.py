"""The requests to a service, by name: messages of ZeroMQ clients, and HTTP requests."""

import json

MAGIC = b"BIFRONS1"
FACE, TWO, NONE, CROWD = b"faces 1 b", b"faces 2 bc", b"faces 0", b"faces 20"
SLOW, SLOW_NETWORK = b"slow", b"faces 1 s"
BROKEN = b"fail 422 image_truncated the file ends early"
FOREIGN = b"fail 415 image_unknown_format the file is a GIF"
ONE_FAILS, BOTH_FAIL = b"faces 1 A", b"faces 2 AB"


def header(verb: str = "classify", /, **fields: object) -> bytes:
    return json.dumps({"verb": verb, **fields}, separators=(",", ":")).encode()


def job(image: bytes = FACE, /, **fields: object) -> list[bytes]:
    return [b"7", b"", MAGIC, header("classify", **{"id": "a1", **fields}), image]


def verb(name: str, **fields: object) -> list[bytes]:
    return [b"", MAGIC, header(name, **fields)]


# Invalid values of the header's fields.
WRONG: dict[str, list[object]] = {
    "id": ["", 7, None, "x" * 129],
    "budget_ms": [0, 600001, 1.5, "5"],
    "priority": [-1, 10, "4"],
    "models": [[], "alpha", [1], ["alpha"] * 17],
    "require": ["both", True],
    "policy": [3],
    "durable": ["yes"],
    "wait": [0],
    "idempotency_key": ["", "x" * 129],
    "explain": [1],
    "metadata": [[], "x", {"x": "y" * 4096}],
}

ZEROMQ: dict[str, list[bytes]] = {
    "one face": job(),
    "two faces": job(TWO),
    "no face": job(NONE),
    "a crowd": job(CROWD),
    "explained": job(TWO, explain=True),
    "metadata": job(metadata={"b": [1, {"c": None}], "a": "é"}),
    "one model": job(models=["beta"]),
    "the same model twice": job(models=["beta", "beta"]),
    "all required": job(require="all"),
    "a policy": job(policy="strict"),
    "the highest priority": job(priority=9),
    "no id": [b"", MAGIC, b'{"verb":"classify"}', FACE],
    "without an envelope": [MAGIC, header(id="a1"), FACE],
    "a bare picture": [b"", FACE],
    "a picture alone": [FACE],
    "a long envelope": [b"1", b"22", b"333", b"4", b"5", b"6", b"7", b"", MAGIC, header("ping")],
    "too many frames of envelope": [*[b"x"] * 8, b"", MAGIC, header("ping")],
    "too many bytes of envelope": [b"x" * 4096, b"y", b"", MAGIC, header("ping")],
    "another version": [b"", b"BIFRONS2", b"{}"],
    "nothing behind the delimiter": [b"7", b""],
    "too many frames": [b"", MAGIC, header(), FACE, FACE],
    "frames without a magic": [b"a", b"b"],
    "an empty picture": [b"", b""],
    "a job without a picture": [b"", MAGIC, header(id="a1")],
    "a broken picture": job(BROKEN),
    "another format": job(FOREIGN),
    "a slow picture": job(SLOW, budget_ms=300),
    "a slow network": job(SLOW_NETWORK, budget_ms=300),
    "one network fails": job(ONE_FAILS),
    "one network fails, all required": job(ONE_FAILS, require="all"),
    "both networks fail": job(BOTH_FAIL),
    "an unknown model": job(models=["gamma"]),
    "an unknown policy": job(policy="none"),
    "an unknown verb": verb("juggle"),
    "ping": verb("ping"),
    "ping with an id": verb("ping", id="p1"),
    "models": verb("models"),
    "status": verb("status"),
    "history": verb("history"),
    "events": verb("events"),
    "drift": verb("drift"),
    "cancel of nothing": verb("cancel", id="zzz"),
    "cancel without an id": verb("cancel"),
    "fetch of nothing": verb("fetch", id="zzz"),
    "fetch without an id": verb("fetch"),
    "a durable job": job(id="d1", durable=True),
    "its result": verb("fetch", id="d1"),
    "a durable job that is not waited for": job(SLOW, id="d2", durable=True, wait=False),
    "its state": verb("fetch", id="d2"),
    "its end": verb("cancel", id="d2"),
    "an idempotency key": job(id="k1", idempotency_key="key"),
    "the same again": job(id="k2", idempotency_key="key"),
    "the same with another policy": job(id="k3", idempotency_key="key", policy="strict"),
    "the key with another picture": job(TWO, id="k4", idempotency_key="key"),
    "the key with other models": job(id="k5", idempotency_key="key", models=["alpha"]),
    "an owner": job(owner="somebody"),
    "a header that is not JSON": [b"", MAGIC, b"{", FACE],
    "a header that is not UTF-8": [b"", MAGIC, b'{"verb":"\xff"}', FACE],
    "a header that is a list": [b"", MAGIC, b"[]", FACE],
    "a header that is too long": [b"", MAGIC, header(x="y" * 70000), FACE],
    "a header that nests too deep": [b"", MAGIC, b'{"verb":"ping","x":' + b"[" * 40 + b"]" * 40 + b"}"],
    **{f"the {name} {value!r}": job(FACE, **{name: value}) for name, values in WRONG.items() for value in values},
}

SIGNED, UNSIGNED = b"faces 1 a say ai_generated trusted", b"faces 1 a say ai_generated unsigned"
# What is sent to a service that collects evidence.
EVIDENCE: dict[str, list[bytes]] = {
    "nothing is said": job(),
    "signed": job(SIGNED),
    "signed, a strict policy": job(SIGNED, policy="strict"),
    "unsigned": job(UNSIGNED),
    "unsigned, a strict policy": job(UNSIGNED, policy="strict"),
    "a changed file": job(b"faces 1 a say ai_edited broken"),
    "an unknown claim": job(b"faces 1 a say real trusted", budget_ms=300),
    "known": job(b"faces 1 d press", policy="strict"),
    "too complex": job(b"faces 1 a complex"),
    "late": job(b"faces 1 a late", budget_ms=300),
    "a broken picture": job(BROKEN),
    "an idempotency key": job(SIGNED, id="k1", idempotency_key="key"),
    "the same with another policy": job(SIGNED, id="k3", idempotency_key="key", policy="strict"),
    "a durable job": job(SIGNED, id="d1", durable=True),
    "its result": verb("fetch", id="d1"),
    "models": verb("models"),
    "status": verb("status"),
}

FORM = "multipart/form-data; boundary=b"


def form(*parts: tuple[str, bytes]) -> bytes:
    lines = b"".join(
        b"--b\r\nContent-Disposition: form-data; %s\r\n\r\n%s\r\n" % (what.encode(), body) for what, body in parts
    )
    return lines + b"--b--\r\n"


HTTP: dict[str, tuple[str, str, dict[str, str], bytes]] = {
    "a body": ("POST", "/v1/classify?id=h1", {"Content-Type": "image/jpeg"}, FACE),
    "a body of no type": ("POST", "/v1/classify?id=h1", {}, FACE),
    "fields in the query": (
        "POST",
        "/v1/classify?id=h1&models=beta&explain=TRUE&policy=strict&metadata=%7B%22a%22%3A1%7D",
        {},
        TWO,
    ),
    "a form": (
        "POST",
        "/v1/classify",
        {"Content-Type": FORM},
        form(('name="file"; filename="a.jpg"', FACE), ('name="id"', b"h2"), ('name="explain"', b"1")),
    ),
    "a form of two pictures": (
        "POST",
        "/v1/classify",
        {"Content-Type": FORM},
        form(('name="a"; filename="a.jpg"', FACE), ('name="b"; filename="b.jpg"', BROKEN), ('name="id"', b"h3")),
    ),
    "a form without a picture": ("POST", "/v1/classify", {"Content-Type": FORM}, form(('name="id"', b"h2"))),
    "a form that ends early": (
        "POST",
        "/v1/classify",
        {"Content-Type": FORM},
        b"--b\r\nContent-Disposition: form-data",
    ),
    "a body that is no picture": ("POST", "/v1/classify", {"Content-Type": "text/html"}, b"<p>"),
    "an empty body": ("POST", "/v1/classify", {}, b""),
    "a broken picture": ("POST", "/v1/classify?id=h1", {}, BROKEN),
    "one network fails": ("POST", "/v1/classify?id=h1", {}, ONE_FAILS),
    "both networks fail": ("POST", "/v1/classify?id=h1", {}, BOTH_FAIL),
    "a slow picture": ("POST", "/v1/classify?id=h1&budget_ms=300", {}, SLOW),
    "no face": ("POST", "/v1/classify?id=h1", {}, NONE),
    "a query that cannot be read": ("POST", "/v1/classify?id=%zz", {}, FACE),
    "a field out of its range": ("POST", "/v1/classify?budget_ms=0", {}, FACE),
    "an unknown model": ("POST", "/v1/classify?models=gamma", {}, FACE),
    "an owner": ("POST", "/v1/classify?owner=me", {}, FACE),
    "a durable job": ("POST", "/v1/jobs?id=j1", {}, FACE),
    "its result": ("GET", "/v1/jobs/j1", {}, b""),
    "no job": ("GET", "/v1/jobs/zzz", {}, b""),
    "a job's end": ("DELETE", "/v1/jobs/zzz", {}, b""),
    "an idempotency key": ("POST", "/v1/classify?id=i1", {"Idempotency-Key": "http"}, FACE),
    "the key with another picture": ("POST", "/v1/classify?id=i2", {"Idempotency-Key": "http"}, TWO),
    "the original's call": ("POST", "/", {"Content-Type": FORM}, form(('name="file"; filename="a.jpg"', FACE))),
    "the original's call without a file": ("POST", "/", {"Content-Type": FORM}, form(('name="x"', b"y"))),
    "the original's call with a broken picture": (
        "POST",
        "/",
        {"Content-Type": FORM},
        form(('name="file"; filename="a.jpg"', BROKEN)),
    ),
    "models": ("GET", "/v1/models", {}, b""),
    "status": ("GET", "/v1/status", {}, b""),
    "history": ("GET", "/v1/status/history", {}, b""),
    "drift": ("GET", "/v1/drift", {}, b""),
    "metrics": ("GET", "/metrics", {}, b""),
    "healthz": ("GET", "/healthz", {}, b""),
    "readyz": ("GET", "/readyz", {}, b""),
    "the page": ("GET", "/", {}, b""),
    "the page of status": ("HEAD", "/status", {}, b""),
    "the OpenAPI document": ("GET", "/openapi.json", {}, b""),
    "an unknown path": ("GET", "/v2/classify", {}, b""),
    "a wrong method": ("GET", "/v1/classify", {}, b""),
    "a preflight": (
        "OPTIONS",
        "/v1/classify",
        {"Origin": "http://pages.example", "Access-Control-Request-Method": "POST"},
        b"",
    ),
    "a page of another origin": ("POST", "/v1/classify?id=h1", {"Origin": "http://pages.example"}, FACE),
    "a wrong host": ("GET", "/healthz", {"Host": "a b"}, b""),
}
