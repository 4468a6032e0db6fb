"""Requests to gateways over HTTP."""

import itertools
from typing import Any
from urllib.parse import quote

import httpx

from bifrons._errors import BifronsError, NoAnswer
from bifrons._options import query

# The connections that are kept: as many as a window has jobs in flight by default.
CONNECTIONS = 64


class HTTPTransport:
    """Connections to one or several gateways, which are asked in turn.

    Args:
        addresses: The gateways' URLs.
        token: The token that the gateways demand; None without one.
    """

    def __init__(self, addresses: list[str], token: str | None) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        self._client = httpx.AsyncClient(headers=headers, limits=limits, timeout=None)
        self._addresses = itertools.cycle([address.rstrip("/") for address in addresses])

    async def ask(self, header: dict[str, Any], body: bytes | None, timeout: float) -> dict[str, Any]:
        """Sends one request and returns its answer.

        Raises:
            NoAnswer: If none arrives within `timeout` seconds, or nothing listens there.
        """
        method, path, fields = self._route(header)
        address = next(self._addresses)
        try:
            response = await self._client.request(
                method,
                address + path,
                params=fields,
                content=body,
                headers={"Content-Type": "application/octet-stream"} if body is not None else None,
                timeout=timeout,
            )
        except (httpx.TimeoutException, httpx.TransportError) as error:
            reason = str(error) or type(error).__name__
            raise NoAnswer(f"no answer from {address} within {timeout:.1f} s: {reason}") from error
        return _answer(response)

    @staticmethod
    def _route(header: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
        job = quote(str(header.get("id", "")), safe="")
        match header["verb"]:
            case "classify":
                if header.get("durable") and header.get("wait", True):
                    raise BifronsError("over HTTP a durable job is not waited for; use submit() and fetch()")
                fields = query(header)
                return "POST", "/v1/jobs" if header.get("durable") else "/v1/classify", fields
            case "fetch":
                return "GET", f"/v1/jobs/{job}", {}
            case "cancel":
                return "DELETE", f"/v1/jobs/{job}", {}
            case "models" | "status" as verb:
                return "GET", f"/v1/{verb}", {}
            case "ping":
                return "GET", "/healthz", {}
            case verb:
                raise BifronsError(f"there is no way to ask '{verb}' over HTTP; use a router's endpoint")

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        if response.is_success:
            raise BifronsError(f"the answer of {response.url} is no JSON object; is it a gateway of Bifrons?")
        answer = {"error": {"code": "failed", "message": response.reason_phrase or "the gateway gives no reason"}}
    if response.is_success and answer.get("status") == "ok":
        answer["status"] = 200
    answer.setdefault("status", response.status_code)
    # A proxy's refusal has no member for it.
    if "retry_after_ms" not in answer and response.headers.get("Retry-After", "").isdigit():
        answer["retry_after_ms"] = 1000 * int(response.headers["Retry-After"])
    return answer
