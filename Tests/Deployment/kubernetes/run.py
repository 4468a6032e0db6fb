#!/usr/bin/env python3
"""Runs the production overlay of Kubernetes for real, on the two nodes that `cluster` makes of this machine.

There are three routers, a gateway, and workers that autoscalers add according to the depths of the queues in
Prometheus. Under load, all workers, gateways and routers are replaced, workers are scaled to zero and back, and a node
is cut off. Every job must be answered with 200. Needs root, a Docker engine, the images of scripts/deploy-test-images,
and debian:bookworm-slim. It removes everything at its end.
"""

import argparse
import contextlib
import hashlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from support.programs import ROOT
from support.waiting import wait_for

HERE = Path(__file__).parent
VERSION = "deploy-test"
CONTROL = "10.88.1.1"
PROMETHEUS_PORT, METRICS_PORT = 9090, 8443
# The API versions of the same kinds in clusters older than 1.21 and 1.23.
OLDER = {"policy/v1": "policy/v1beta1", "autoscaling/v2": "autoscaling/v2beta2"}
MODELS = ("resnet", "inception", "locator")
BEGINNING = time.monotonic()


class Failure(Exception):
    pass


def step(what: str) -> None:
    print(f"\n== {what} ({time.monotonic() - BEGINNING:.0f} s)", flush=True)


def wait_until(what: str, seconds: float, is_so: Callable[[], object]) -> None:
    """Waits until `is_so` returns something true, and prints how long that took."""
    begin = time.monotonic()
    wait_for(is_so, what, seconds, pause=0.3)
    print(f"{what}: after {time.monotonic() - begin:.0f} s", flush=True)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def command(self, verb: str, *arguments: object) -> list[str]:
        return [str(HERE / "cluster"), verb, str(self.folder), *map(str, arguments)]

    def do(self, verb: str, *arguments: object) -> None:
        subprocess.run(self.command(verb, *arguments), check=True)

    def kubectl(self, *arguments: str, content: str | None = None, namespace: str = "bifrons") -> str:
        # This kubectl does not know newer versions, so only the server validates.
        if arguments[0] == "apply":
            arguments = (*arguments, "--validate=false", "--filename=-")
        return subprocess.run(
            self.command("run", "kubectl", "--namespace", namespace, *arguments),
            check=True,
            input=content,
            text=True,
            stdout=subprocess.PIPE,
        ).stdout

    def get(self, *what: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.kubectl("get", *what, "--output=json"))
        return document

    def start(self, *words: object, **options: Any) -> subprocess.Popen[Any]:
        """Starts a process next to the control plane."""
        return subprocess.Popen(self.command("run", *words), **options)


class Test:
    def __init__(self, folder: Path, image: Path) -> None:
        self.folder, self.image = folder, image
        self.cluster = Cluster(folder / "cluster")
        self.token = secrets.token_hex(32)
        self.beside = contextlib.ExitStack()

    # Queries

    def ready(self, kind: str, name: str) -> int:
        return int(self.cluster.get(kind, name)["status"].get("readyReplicas", 0))

    def workers(self) -> list[int]:
        return [self.ready("deployment", f"{model}-worker") for model in MODELS]

    def pods_on(self, node: str) -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in self.cluster.get("pods")["items"]
            if pod["spec"].get("nodeName") == f"node-{node}" and "deletionTimestamp" not in pod["metadata"]
        ]

    def is_node_ready(self, node: str) -> bool:
        conditions = self.cluster.get("node", f"node-{node}")["status"]["conditions"]
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    # Load

    @contextlib.contextmanager
    def load(self, address: str, *options: str, in_flight: int = 32) -> Iterator[None]:
        """Sends jobs with pyzmq while the body runs, and waits for their answers, which must all be 200."""
        process = self.cluster.start(
            ROOT / ".venv-test/bin/python",
            ROOT / "Tests/Deployment/load.py",
            f"tcp://{address}:5555",
            self.folder / "client",
            self.image,
            600,
            in_flight,
            *options,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            time.sleep(2)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            told = process.communicate(timeout=120)[0]
            print(told, end="", flush=True)
        if process.returncode:
            raise Failure("not every job was answered with 200")

    @contextlib.contextmanager
    def requests(self, address: str) -> Iterator[None]:
        """Sends HTTP requests while the body runs, one after the other, each on a new connection."""
        # The script finishes the current request before it handles the signal.
        script = """trap 'end=1' TERM
            until [[ -n ${end:-} ]]; do
                curl --silent --output /dev/null --write-out '%{http_code}\\n' --max-time 30 \\
                    --header "Authorization: Bearer $1" --form "file=@$2" "http://$3/v1/classify"
            done"""
        with tempfile.TemporaryFile("w+") as statuses:
            process = self.cluster.start("bash", "-c", script, "bash", self.token, self.image, address, stdout=statuses)
            try:
                yield
            finally:
                process.terminate()
                process.wait(timeout=60)
            statuses.seek(0)
            got = statuses.read().split()
        print(f"by HTTP: {len(got)} answers, {got.count('200')} of them 200", flush=True)
        if not got or set(got) != {"200"}:
            raise Failure(f"not every request was answered with 200: {sorted(set(got))}")

    # Actions

    def make_secrets(self) -> None:
        """Makes the secrets according to docs/deployment.md."""
        keys = self.folder / "keys"
        subprocess.run(
            [
                "docker",
                "run",
                "--rm",
                "--user=0:0",
                f"--volume={self.folder}:/folder",
                f"bifrons-cli:{VERSION}",
                "keygen",
                "/folder/keys",
            ],
            check=True,
        )
        subprocess.run(["cp", "-r", keys, self.folder / "client"], check=True)
        (self.folder / "tokens").write_text(f"test {hashlib.sha256(self.token.encode()).hexdigest()}\n")
        self.cluster.kubectl("apply", content=(ROOT / "Deploy/kubernetes/base/namespace.yaml").read_text())
        for name, files in {
            "router-keys": ("router.secret", "router.public", "allowed", "operator.secret"),
            "worker-keys": ("router.public", "worker.secret"),
            "gateway-keys": ("router.public", "gateway.secret"),
        }.items():
            self.cluster.kubectl("create", "secret", "generic", name, *(f"--from-file={keys / file}" for file in files))
        self.cluster.kubectl("create", "secret", "generic", "gateway-tokens", f"--from-file={self.folder / 'tokens'}")

    def make_journals(self) -> None:
        """Makes a volume for each router: two on node a, one on node b."""
        for number, node in enumerate("aab"):
            path = f"/var/lib/journal-{number}"
            self.cluster.do("on", node, "mkdir", "--parents", path)
            at_node = {"key": "kubernetes.io/hostname", "operator": "In", "values": [f"node-{node}"]}
            self.cluster.kubectl(
                "apply",
                content=yaml.safe_dump(
                    {
                        "apiVersion": "v1",
                        "kind": "PersistentVolume",
                        "metadata": {"name": f"journal-{number}"},
                        "spec": {
                            "capacity": {"storage": "8Gi"},
                            "accessModes": ["ReadWriteOnce"],
                            "local": {"path": path},
                            "claimRef": {"namespace": "bifrons", "name": f"journal-router-{number}"},
                            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [at_node]}]}},
                        },
                    }
                ),
            )

    def manifests(self) -> str:
        """Returns the overlay, with the older API versions of its kinds if the cluster does not know the newer ones."""
        text = subprocess.run(
            self.cluster.command("run", "kubectl", "kustomize", HERE), check=True, text=True, stdout=subprocess.PIPE
        ).stdout
        known = self.cluster.kubectl("api-versions").split()
        for version, older in OLDER.items():
            if version not in known:
                text = text.replace(f"apiVersion: {version}\n", f"apiVersion: {older}\n")
        return text

    def measure_queues(self) -> None:
        """Starts Prometheus, which scrapes each router, and the server of the metrics made from it."""
        (self.folder / "prometheus.yml").write_text(
            yaml.safe_dump(
                {
                    "scrape_configs": [
                        {
                            "job_name": "routers",
                            "scrape_interval": "5s",
                            # Debian's Prometheus is built without Kubernetes service discovery.
                            "dns_sd_configs": [
                                {
                                    "names": ["routers.bifrons.svc.cluster.local"],
                                    "type": "A",
                                    "port": 9090,
                                    "refresh_interval": "5s",
                                }
                            ],
                        }
                    ]
                }
            )
        )
        certificate, key = self.folder / "metrics.crt", self.folder / "metrics.key"
        subprocess.run(
            [
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "rsa:2048",
                "-nodes",
                "-subj",
                "/CN=external-metrics",
                "-days",
                "1",
                "-keyout",
                key,
                "-out",
                certificate,
            ],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        # The namespace has no network access, so the program is fetched beforehand.
        subprocess.run([ROOT / "scripts/prometheus", "--version"], check=True, stdout=subprocess.DEVNULL)
        log = self.beside.enter_context((self.folder / "metrics.log").open("w"))
        for words in (
            [
                ROOT / "scripts/prometheus",
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'prometheus'}",
                f"--web.listen-address={CONTROL}:{PROMETHEUS_PORT}",
            ],
            [
                sys.executable,
                HERE / "external_metrics.py",
                CONTROL,
                METRICS_PORT,
                certificate,
                key,
                f"http://{CONTROL}:{PROMETHEUS_PORT}",
                ROOT / "docs/deployment.md",
            ],
        ):
            process = self.cluster.start(*words, stdout=log, stderr=log)
            self.beside.callback(process.wait, 30)
            self.beside.callback(process.terminate)
        service = {"namespace": "kube-system", "name": "external-metrics"}
        port = {"name": "https", "port": 443}
        for content in (
            {"apiVersion": "v1", "kind": "Service", "metadata": service, "spec": {"ports": [port]}},
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": service,
                "subsets": [{"addresses": [{"ip": CONTROL}], "ports": [port | {"port": METRICS_PORT}]}],
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": "v1beta1.external.metrics.k8s.io"},
                "spec": {
                    "group": "external.metrics.k8s.io",
                    "version": "v1beta1",
                    "groupPriorityMinimum": 100,
                    "versionPriority": 100,
                    "insecureSkipTLSVerify": True,
                    "service": service | {"port": 443},
                },
            },
        ):
            self.cluster.kubectl("apply", content=yaml.safe_dump(content), namespace="kube-system")

    def replace(self, *kinds: str) -> None:
        self.cluster.kubectl("rollout", "restart", *kinds)
        begin = time.monotonic()
        for kind in kinds:
            self.cluster.kubectl("rollout", "status", kind, "--timeout=180s")
        print(f"{', '.join(kinds)} replaced: after {time.monotonic() - begin:.0f} s", flush=True)

    def run(self) -> None:
        step("cluster")
        self.cluster.do("up")
        self.cluster.do("images", *(f"bifrons-{name}:{VERSION}" for name in ("router", "worker", "gateway")))

        step("the production overlay")
        self.make_secrets()
        self.make_journals()
        self.cluster.kubectl("apply", content=self.manifests())
        self.measure_queues()
        wait_until(
            "three routers, two workers of each model, a gateway are ready",
            180,
            lambda: (
                self.workers() == [2, 2, 2]
                and self.ready("statefulset", "router") == 3
                and self.ready("deployment", "gateway") == 1
            ),
        )
        self.cluster.do("run", "kubectl", "--namespace=bifrons", "get", "pods,hpa", "--output=wide")
        service, gateway = "bifrons.bifrons", "gateway.bifrons"

        step("a job by HTTP, with a token and without")
        for header, status in ((f"Authorization: Bearer {self.token}", "200"), ("Accept: */*", "401")):
            told = subprocess.run(
                self.cluster.command(
                    "run",
                    "curl",
                    "--silent",
                    "--show-error",
                    "--header",
                    header,
                    "--form",
                    f"file=@{self.image}",
                    "--write-out",
                    "\n%{http_code}",
                    f"http://{gateway}/v1/classify",
                ),
                check=True,
                text=True,
                stdout=subprocess.PIPE,
            ).stdout
            print(told[:250])
            if told.split()[-1] != status:
                raise Failure(f"the gateway should have answered with {status}")

        step("queues grow, and workers with them")
        with self.load(service, in_flight=64):
            # The other model may have no queue as long as this one has one.
            wait_until("four workers of a model", 120, lambda: max(self.workers()) == 4)
            self.cluster.do("run", "kubectl", "--namespace=bifrons", "get", "hpa")
        wait_until("two of each again", 180, lambda: self.workers() == [2, 2, 2])

        step("all workers are replaced under load")
        with self.load(service):
            self.replace(*(f"deployment/{model}-worker" for model in MODELS))

        step("gateways are replaced under load")
        with self.requests(gateway):
            self.replace("deployment/gateway")

        step("routers are replaced under durable load")
        with self.load(service, "--durable"):
            self.replace("statefulset/router")

        step("no worker of a model, and one again")
        self.cluster.kubectl("scale", "deployment/resnet-worker", "--replicas=0")
        wait_until("none", 60, lambda: self.workers()[0] == 0)
        with self.load(service, in_flight=8):
            self.cluster.kubectl("scale", "deployment/resnet-worker", "--replicas=2")
            wait_until("two", 60, lambda: self.workers()[0] == 2)

        step("node b is cut off under load")
        print("on node b:", *self.pods_on("b"))
        cut = self.cluster.get("pod", "router-2")["metadata"]["uid"]
        with self.load("router-0.routers.bifrons"):
            self.cluster.do("cut", "b")
            wait_until("it is not ready", 60, lambda: not self.is_node_ready("b"))
            wait_until(
                "its workers are on node a",
                120,
                lambda: not [name for name in self.pods_on("b") if "worker" in name] and min(self.workers()) >= 2,
            )
            self.cluster.do("mend", "b")
            wait_until("it is ready again", 60, lambda: self.is_node_ready("b"))
            wait_until(
                "router-2 has been replaced",
                180,
                lambda: (
                    (pod := self.cluster.get("pod", "--selector=statefulset.kubernetes.io/pod-name=router-2")["items"])
                    and pod[0]["metadata"]["uid"] != cut
                    and self.ready("statefulset", "router") == 3
                ),
            )

    def look(self) -> None:
        """Prints the cluster's state, to help find the reason of a failure."""
        for what in (["nodes,pods,hpa", "--output=wide"], ["events", "--sort-by=.lastTimestamp"]):
            subprocess.run(
                self.cluster.command("run", "kubectl", "--namespace=bifrons", "get", *what), stdout=sys.stderr
            )

    def end(self) -> None:
        self.beside.close()
        self.cluster.do("down")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("image", type=Path)
    parser.add_argument("--keep", action="store_true", help="leave the cluster as it is when something fails")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = Path(tempfile.mkdtemp(prefix="bifrons-kubernetes."))
    test = Test(folder, options.image)
    has_failed = True
    try:
        test.run()
        has_failed = False
        step("end")
    except (Failure, TimeoutError, subprocess.SubprocessError) as error:
        test.look()
        print(f"deploy-test-kubernetes: {error}", file=sys.stderr)
    finally:
        if has_failed and options.keep:
            print(f"deploy-test-kubernetes: kept for a look: {folder}", file=sys.stderr)
        else:
            test.end()
            shutil.rmtree(folder)
    if not has_failed:
        print("deploy-test-kubernetes: passed")
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main())
