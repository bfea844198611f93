"""Alarms, dashboard, events and budget."""

from __future__ import annotations

import json

import pytest

from deploy.aws.alarm_table import alarms
from deploy.aws.metrics import METRICS
from tests.aws.stacks import Stack

pytestmark = pytest.mark.timeout(300)

PANELS = (
    "VolumeBytesUsed",
    "TotalBackupStorageBilled",
    "SnapshotStorageUsed",
    "CPUUtilization",
    "FreeableMemory",
    "FreeLocalStorage",
    "DBClusterReplicaLagMaximum",
    "station_freshness_seconds",
    "reports_new",
    "rows_rejected",
    "objects_failed",
    "access_time_ms",
)


def test_every_alarm_calls_when_it_begins_and_ends(stack: Stack) -> None:
    """One per line of the table, with its threshold, and both actions to the topic."""
    made = {item["AlarmName"]: item for item in stack.all("CloudWatch::Alarm").values()}
    (topic,) = stack.all("SNS::Topic")
    for spec in alarms(stack.settings):
        item = made.pop(f"barograph-{spec.name}")
        assert (item["MetricName"], item["Namespace"]) == (spec.metric, spec.namespace)
        assert (item["Threshold"], item["Period"], item["EvaluationPeriods"]) == (
            spec.threshold,
            spec.period_seconds,
            spec.periods,
        )
        assert item["TreatMissingData"] == spec.silence
        assert item["AlarmActions"] == item["OKActions"] == [{"Ref": topic}]
        # CloudWatch evaluates seven days at most where a period is an hour or more, else one.
        assert spec.period_seconds * spec.periods <= (7 if spec.period_seconds >= 3600 else 1) * 86_400
    assert list(made) == (["barograph-host"] if stack.name == "closed" else [])


def test_the_alarms_that_matter_are_there(small: Stack) -> None:
    """A night without success, stations that fell silent, failed objects, lag, CPU, memory, volume, connections."""
    table = {spec.name: spec for spec in alarms(small.settings)}
    assert table["no-success"].silence == table["freshness"].silence == "breaching"
    assert table["freshness"].threshold == 36 * 3600
    assert table["failed-objects"].threshold == 1
    assert table["cpu"].threshold == 80
    assert table["cpu"].period_seconds * table["cpu"].periods == 15 * 60
    assert {"replica-lag", "volume", "memory", "connections", "no-backup"} <= table.keys()


def test_alarms_of_the_job_watch_metrics_that_it_writes(small: Stack) -> None:
    """No alarm waits for a name that nothing sends."""
    sent = {metric.name for metric in METRICS}
    assert {spec.metric for spec in alarms(small.settings) if spec.namespace == "barograph"} <= sent


def test_the_dashboard_has_every_panel(stack: Stack) -> None:
    """Those of the brief and ours; CPU and memory have a line per instance."""
    parts = stack.one("CloudWatch::Dashboard")["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "reference" for part in parts)
    assert [name for name in PANELS if name not in text] == []
    widgets = json.loads(text)["widgets"]
    (cpu,) = [item for item in widgets if item["properties"].get("title") == "CPU"]
    assert len(cpu["properties"]["metrics"]) == 3


def test_one_reader_of_an_encrypted_topic(stack: Stack) -> None:
    """The mail goes where the settings say; three services may publish, and over TLS only."""
    assert stack.one("SNS::Subscription")["Endpoint"] == stack.settings.alert_email
    assert "KmsMasterKeyId" in stack.one("SNS::Topic")
    allowed, denied = (
        [item for item in stack.one("SNS::TopicPolicy")["PolicyDocument"]["Statement"] if item["Effect"] == effect]
        for effect in ("Allow", "Deny")
    )
    conditions = {item["Principal"]["Service"]: item.get("Condition") for item in allowed}
    ours = {"StringEquals": {"aws:SourceAccount": stack.settings.account}}
    assert conditions == {
        "cloudwatch.amazonaws.com": ours,
        "events.rds.amazonaws.com": ours,
        "events.amazonaws.com": None,
    }
    assert {item["Action"] for item in allowed} == {"sns:Publish"}
    assert [item["Condition"] for item in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_a_task_that_fails_is_told_at_once(stack: Stack) -> None:
    """Another exit code than 0, or no start at all; failovers of the cluster as well."""
    detail = stack.one("Events::Rule")["EventPattern"]["detail"]
    assert detail["$or"] == [
        {"containers": {"exitCode": [{"anything-but": 0}]}},
        {"stopCode": ["TaskFailedToStart"]},
    ]
    assert "failover" in stack.one("DocDB::EventSubscription")["EventCategories"]


def test_the_budget_warns_twice(stack: Stack) -> None:
    """At 80 % of it, and when all of it is forecast."""
    budget = stack.one("Budgets::Budget")
    assert budget["Budget"]["BudgetLimit"] == {"Amount": stack.settings.budget_usd, "Unit": "USD"}
    told = [
        (item["Notification"]["NotificationType"], item["Notification"]["Threshold"], item["Subscribers"][0]["Address"])
        for item in budget["NotificationsWithSubscribers"]
    ]
    mail = stack.settings.alert_email
    assert told == [("ACTUAL", 80, mail), ("FORECASTED", 100, mail)]
