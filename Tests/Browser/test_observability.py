"""That rules and dashboard ask for metrics that there are."""

import json
import re
import urllib.request

from cluster import ROOT
from test_status import classify

FOLDER = ROOT / "Deploy/observability"


def test_every_metric_of_rules_and_dashboard_is_one_of_the_gateways(cluster):
    classify(cluster)
    text = urllib.request.urlopen(f"{cluster.address}/metrics", timeout=10).read().decode()
    told = set(re.findall(r"^(bifrons_\w+)", text, re.MULTILINE))

    rules = re.findall(r"expr:(.*?)(?:for:|labels:)", (FOLDER / "alerts.yml").read_text(), re.DOTALL)
    dashboard = json.loads((FOLDER / "grafana-dashboard.json").read_text())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    variables = [json.dumps(variable["query"]) for variable in dashboard["templating"]["list"]]
    marks = [mark["expr"] for mark in dashboard["annotations"]["list"]]
    asked = {name for text in [*rules, *panels, *variables, *marks] for name in re.findall(r"bifrons_\w+", text)}

    assert len(asked) > 30
    assert asked - told == set()
