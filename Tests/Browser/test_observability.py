"""Tests that rules and the dashboard query what exists, by its name and in a Prometheus that scrapes the gateway."""

import itertools
import json
import math
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest

from support import images
from support.processes import Process
from support.programs import ROOT
from support.waiting import wait_for

FOLDER = ROOT / "Deploy/observability"
DASHBOARD = json.loads((FOLDER / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [
    pytest.param(target, id=f"{panel['title']}-{target['refId']}") for panel in PANELS for target in panel["targets"]
]
# The value that Grafana inserts when the scrape interval is one second.
VARIABLES = {"$__rate_interval": "15s"}
PATIENCE = 30


def test_rules_and_dashboard_use_only_metrics_of_the_gateway(cluster):
    assert cluster.classify(images.portrait().read_bytes()) == 200
    text = cluster.ask("GET", "/metrics")[2].decode()
    # A metric without samples is told, too: the index of drift needs more faces than this test sends.
    told = set(re.findall(r"^(?:# TYPE )?(bifrons_\w+)", text, re.MULTILINE))

    rules = re.findall(r"expr:(.*?)(?:for:|labels:)", (FOLDER / "alerts.yml").read_text(), re.DOTALL)
    panels = [target["expr"] for panel in PANELS for target in panel["targets"]]
    variables = [json.dumps(variable["query"]) for variable in DASHBOARD["templating"]["list"]]
    marks = [mark["expr"] for mark in DASHBOARD["annotations"]["list"]]
    asked = {name for text in [*rules, *panels, *variables, *marks] for name in re.findall(r"bifrons_\w+", text)}

    assert len(asked) > 30
    assert asked - told == set()


def test_panels_have_unique_ids_and_do_not_overlap():
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids)) > 30
    taken: dict[tuple[int, int], str] = {}
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["w"] > 0 and place["h"] > 0 and place["x"] + place["w"] <= 24, panel["title"]
        columns = range(place["x"], place["x"] + place["w"])
        for cell in itertools.product(columns, range(place["y"], place["y"] + place["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"], f"{panel['title']} is on {taken[cell]}"
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        assert names and len(names) == len(set(names)), panel["title"]


def test_all_queries_use_the_selected_data_source_and_instance():
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    asking = [*PANELS, *DASHBOARD["annotations"]["list"], variables["instance"]]
    assert [asker for asker in asking if asker["datasource"] != chosen] == []
    expressions = [target["expr"] for panel in PANELS for target in panel["targets"]]
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(asking)))
    assert used == {"datasource", "instance", "__rate_interval"}
    # The numbers that two gateways report of the same router must not be added up.
    assert [text for text in expressions if text.count("{") != text.count('instance="$instance"')] == []


class Prometheus:
    """A Prometheus that scrapes the cluster's gateway every second."""

    def __init__(self, cluster, folder):
        self.instance = cluster.address.removeprefix("http://")
        configuration = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(FOLDER / "alerts.yml")],
            "scrape_configs": [{"job_name": "bifrons", "static_configs": [{"targets": [self.instance]}]}],
        }
        # JSON is valid YAML.
        (folder / "prometheus.yml").write_text(json.dumps(configuration))
        self.program = Process(
            "prometheus",
            [
                ROOT / "scripts/prometheus",
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                "--web.listen-address=127.0.0.1:0",
            ],
            folder,
        )
        self.program.start()

    def wait_ready(self):
        found = wait_for(self.listens, "Prometheus's address", PATIENCE)
        wait_for(lambda: "Server is ready" in self.program.said(), "Prometheus that answers", PATIENCE)
        self.address = f"http://{found[1]}"
        wait_for(lambda: self.query(f'bifrons_up{{instance="{self.instance}"}} == 1'), "a scrape", PATIENCE)

    def listens(self):
        assert self.program.is_running(), self.program.said()
        return re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)', self.program.said())

    def ask(self, path: str, **fields: str):
        """Returns the data of an answer; raises an error with Prometheus's own words if the query failed."""
        try:
            answer = urllib.request.urlopen(
                f"{self.address}/api/v1/{path}?{urllib.parse.urlencode(fields)}", timeout=10
            )
            return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            pytest.fail(f"{fields}: {error.read().decode()}", pytrace=False)

    def query(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Returns the labels and the current value of each series."""
        for name, value in {**VARIABLES, "$instance": self.instance}.items():
            expression = expression.replace(name, value)
        result = self.ask("query", query=expression)["result"]
        return [(series["metric"], float(series["value"][1])) for series in result]


@pytest.fixture(scope="module")
def prometheus(cluster, tmp_path_factory):
    # A family's labels appear with its first sample.
    assert cluster.classify(images.portrait().read_bytes()) == 200
    running = Prometheus(cluster, tmp_path_factory.mktemp("prometheus"))
    try:
        running.wait_ready()
        yield running
    finally:
        running.program.end()


@pytest.mark.parametrize("target", TARGETS)
def test_panel_shows_data_after_a_job(prometheus, cluster, target):
    # A rate needs two scrapes with a job between them, and an old job leaves the rate's window.
    def series():
        assert cluster.classify(images.portrait().read_bytes()) == 200
        found = prometheus.query(target["expr"])
        # Without recent requests on a path, its quantiles are not numbers.
        shown = [value for labels, value in found if labels.get("route") in (None, "/v1/classify")]
        return found if shown and all(math.isfinite(value) for value in shown) else None

    found = wait_for(series, f"data of {target['expr']}", PATIENCE)
    for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
        assert all(label in labels for labels, _ in found), f"no label {label} in {found}"
    # Each line must have a name of its own.
    names = [
        tuple(labels.get(name) for name in re.findall(r"{{(\w+)}}", target["legendFormat"])) for labels, _ in found
    ]
    assert len(names) == len(set(names))


def test_instance_variable_and_annotations_can_be_queried(prometheus):
    variable = next(one for one in DASHBOARD["templating"]["list"] if one["name"] == "instance")
    metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"]).groups()
    assert prometheus.ask(f"label/{label}/values", **{"match[]": metric}) == [prometheus.instance]
    for mark in DASHBOARD["annotations"]["list"]:
        # The dashboard marks a router that has just started. Whether this one has depends on the other tests.
        assert len(prometheus.query(mark["expr"].replace("< 60", ">= 0"))) == 1


def test_rules_are_evaluated_and_no_alert_is_raised_for_a_healthy_cluster(prometheus):
    def evaluated():
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        return rules if rules and all(rule["health"] != "unknown" for rule in rules) else None

    rules = wait_for(evaluated, "evaluated rules", PATIENCE)
    assert len(rules) > 9
    assert [rule for rule in rules if rule["health"] != "ok"] == []
    # The latency depends on the machine.
    assert {rule["name"] for rule in rules if rule["state"] != "inactive"} <= {"BifronsSlow"}


def test_invalid_query_is_detected(prometheus):
    with pytest.raises(pytest.fail.Exception, match="parse error"):
        prometheus.query("sum by (")
    assert prometheus.query("bifrons_nothing") == []
