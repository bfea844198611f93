"""Alarms, dashboard, events and budget."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Sequence

import pytest

from barograph.ops.metrics import CLOUDWATCH
from deploy.aws.alarm_table import AlarmSpec, alarms
from deploy.aws.metrics import WATCHED
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
    "barograph_station_last_report_age_hours",
    "barograph_stations_silent",
    "barograph_run_last_success_age_hours",
    "barograph_backup_last_success_age_hours",
    "barograph_drill_last_success_age_hours",
    "barograph_run_reports",
    "barograph_failed_objects",
    "barograph_connection_failing",
    "barograph_access_time_seconds",
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
        assert item["Statistic"] == spec.statistic
        assert {one["Name"]: one["Value"] for one in item.get("Dimensions", [])} == dict(spec.dimensions)
        assert item["AlarmActions"] == item["OKActions"] == [{"Ref": topic}]
        # CloudWatch evaluates seven days at most where a period is an hour or more, else one.
        assert spec.period_seconds * spec.periods <= (7 if spec.period_seconds >= 3600 else 1) * 86_400
    assert list(made) == (["barograph-host"] if stack.name == "closed" else [])


def test_the_alarms_that_matter_are_there(small: Stack) -> None:
    """A night without success, stations that fell silent, failed objects, lag, CPU, memory, volume, connections."""
    table = {spec.name: spec for spec in alarms(small.settings)}
    for name in ("no-success", "no-backup", "no-drill", "freshness"):
        assert table[name].silence == "breaching", "a job that has died says nothing"
    assert table["freshness"].threshold == 36
    assert table["no-drill"].threshold == 8 * 24
    assert table["failed-objects"].threshold == 1
    assert table["cpu"].threshold == 80
    assert table["cpu"].period_seconds * table["cpu"].periods == 15 * 60
    assert {"replica-lag", "volume", "memory", "connections", "rejections", "failed-connections"} <= table.keys()


def nights(good: Sequence[bool]) -> list[float | None]:
    """Hour by hour what nights tell of the last success, each measured a quarter of an hour after its run."""
    told: list[float | None] = []
    age: float | None = None
    for night in good:
        age = 0.25 if night else None if age is None else age + 24
        told += [age, *[None] * 23]
    return told


def raised(spec: AlarmSpec, told: Sequence[float | None]) -> list[bool]:
    """The alarm after each hour: every one of the last so many periods is breaching.

    CloudWatch may take a value of some periods further back in place of a missing one, which raises an alarm later.
    """
    compare = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}[spec.beyond]
    bad = [spec.silence == "breaching" if value is None else compare(value, spec.threshold) for value in told]
    return [all(bad[max(0, hour - spec.periods + 1) : hour + 1]) for hour in range(len(bad))]


def test_a_night_that_fails_is_told_before_the_morning(small: Stack) -> None:
    """Good nights are quiet, without a gap at midnight; one that failed, or did not happen, is raised from two on."""
    spec = next(spec for spec in alarms(small.settings) if spec.name == "no-success")
    assert raised(spec, nights([True] * 7)) == [False] * 7 * 24
    failed = raised(spec, nights([True, False, True, True]))
    assert [hour for hour, on in enumerate(failed) if on] == list(range(26, 48))
    nothing = nights([True])
    assert raised(spec, [*nothing, *[None] * 24]).index(True) == 26


def test_the_drill_is_told_when_one_was_missed(small: Stack) -> None:
    """The age that nights tell of a weekly drill stays below the threshold; after a failed one it is raised."""
    spec = next(spec for spec in alarms(small.settings) if spec.name == "no-drill")
    weekly = [value for day in range(-1, 20) for value in (((day % 7) * 24 + 20.25), *[None] * 23)]
    assert not any(raised(spec, weekly)[26:])
    missed = [value for day in range(14) for value in (day * 24 + 20.25, *[None] * 23)]
    assert 7 <= raised(spec, missed).index(True) // 24 <= 9


def test_starts_that_were_given_up_are_told(small: Stack, closed: Stack) -> None:
    """Each schedule has the queue for its dead letters: TLS only, encrypted, kept for two weeks. systemd has none."""
    (queue,) = small.all("SQS::Queue")
    said = small.one("SQS::Queue")
    assert (said["SqsManagedSseEnabled"], said["MessageRetentionPeriod"]) == (True, 14 * 86_400)
    (denied,) = small.one("SQS::QueuePolicy")["PolicyDocument"]["Statement"]
    assert (denied["Effect"], denied["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    schedules = small.all("Scheduler::Schedule").values()
    assert len(schedules) == 2
    for item in schedules:
        assert item["Target"]["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": [queue, "Arn"]}}
        assert item["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 3
    (watched,) = [spec for spec in alarms(small.settings) if spec.namespace == "AWS/SQS"]
    assert dict(watched.dimensions) == {"QueueName": said["QueueName"]}
    assert closed.all("SQS::Queue") == {}
    assert not [spec for spec in alarms(closed.settings) if spec.namespace == "AWS/SQS"]


def test_nothing_is_watched_that_is_not_written(stack: Stack) -> None:
    """Every name of ours in alarms, dashboard and the table is one of the registry, with its dimension or over all."""
    text = json.dumps([stack.all("CloudWatch::Alarm"), stack.all("CloudWatch::Dashboard")])
    known = {metric.name: metric for metric in CLOUDWATCH}
    named = set(re.findall(r"barograph_[a-z_]+", text))
    assert len(named) > 10
    assert named <= known.keys()
    assert {watched.name for watched in WATCHED} <= known.keys()
    assert {watched.name for watched in WATCHED} == named, "no name of the table is left over"
    for watched in WATCHED:
        metric = known[watched.name]
        assert tuple(name for name, _ in watched.dimensions) in ((), metric.labels)
        assert watched.dimensions or not metric.labels or metric.whole, watched
    ours = {(spec.metric, spec.dimensions) for spec in alarms(stack.settings) if spec.namespace == "barograph"}
    assert ours <= {(watched.name, watched.dimensions) for watched in WATCHED}


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
