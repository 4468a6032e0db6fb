#!/usr/bin/env python3
"""Serves a cluster's external metrics from a Prometheus, as prometheus-adapter does.

    external_metrics.py ADDRESS PORT CERTIFICATE KEY PROMETHEUS DOCUMENT

It reads the rule (externalRules) from DOCUMENT, docs/deployment.md, where users find it. It replaces the adapter, which
Debian does not have, and implements the discovery and the values of the external.metrics.k8s.io API.
"""

import json
import re
import ssl
import sys
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

GROUP = "external.metrics.k8s.io/v1beta1"


def rule_of(document: str) -> dict[str, Any]:
    for block in re.findall(r"```yaml\n(.*?)```", document, re.DOTALL):
        content = yaml.safe_load(block)
        if "externalRules" in content:
            return dict(content["externalRules"][0])
    raise SystemExit("external_metrics: the document has no block of YAML with externalRules")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    rule: dict[str, Any]
    prometheus: str

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        name = self.rule["name"]["as"]
        if url.path == f"/apis/{GROUP}":
            resource = {
                "name": name,
                "singularName": "",
                "namespaced": True,
                "kind": "ExternalMetricValueList",
                "verbs": ["get"],
            }
            self.answer({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": GROUP, "resources": [resource]})
        elif re.fullmatch(f"/apis/{GROUP}/namespaces/[^/]+/{name}", url.path):
            # The selector is "model=resnet,…", but Prometheus needs quotes around the values.
            selector = urllib.parse.parse_qs(url.query).get("labelSelector", [""])[0]
            labels = dict(pair.split("=") for pair in selector.split(",") if pair)
            matchers = ",".join(f'{label}="{value}"' for label, value in labels.items())
            query = self.rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)
            with urllib.request.urlopen(
                f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': query})}", timeout=5
            ) as reply:
                results = json.load(reply)["data"]["result"]
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            self.answer(
                {
                    "kind": "ExternalMetricValueList",
                    "apiVersion": GROUP,
                    "metadata": {},
                    "items": [
                        {
                            "metricName": name,
                            "metricLabels": labels,
                            "timestamp": now,
                            "value": str(round(float(value))),
                        }
                        for _, value in (result["value"] for result in results)
                    ],
                }
            )
        else:
            self.answer({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404}, 404)

    def answer(self, content: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    address, port, certificate, key, Handler.prometheus, document = sys.argv[1:]
    Handler.rule = rule_of(Path(document).read_text())
    server = ThreadingHTTPServer((address, int(port)), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
