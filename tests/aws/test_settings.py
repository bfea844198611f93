"""The settings of the stack: what they default to, and that a wrong one is told in words before anything is made."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.aws.settings import INSTANCE_CLASSES, PROFILES, Settings, SettingsError
from tests.aws.stacks import BASE, context


def settings(**given: Any) -> Settings:
    return Settings.from_context(context({**BASE, **given}))


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_fills_in_what_is_not_said(profile: str) -> None:
    """Three settings suffice; what is said stands over the profile."""
    made = settings(profile=profile)
    assert {name: getattr(made, name) for name in PROFILES[profile]} == PROFILES[profile]
    assert made.zones == ("eu-west-3a", "eu-west-3b", "eu-west-3c")
    assert made.replicas == 2
    assert settings(profile=profile, budget_usd="77").budget_usd == 77


def test_text_of_the_command_line_becomes_the_type() -> None:
    """`-c` gives text, cdk.json gives JSON: both are taken."""
    assert settings(zones="eu-west-3c,eu-west-3a,eu-west-3b").zones[0] == "eu-west-3c"
    assert settings(zones=["eu-west-3a", "eu-west-3b", "eu-west-3c"]).zone_count == 3
    assert settings(airbyte_user="True").airbyte_user
    assert not settings(deletion_protection=False).deletion_protection
    assert settings(backup_retention_days=14).backup_retention_days == 14


@pytest.mark.parametrize("missing", BASE)
def test_what_is_missing_is_named(missing: str) -> None:
    """The three that have no default, each with the option that gives it."""
    given = {name: value for name, value in BASE.items() if name != missing}
    with pytest.raises(SettingsError, match=rf"^barograph:{missing} is missing: .*; say -c barograph:{missing}=…$"):
        Settings.from_context(context(given))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("account", "1234", "12 digits"),
        ("alert_email", "nobody", "e-mail"),
        ("backup_retention_days", "6", "between 7 and 35"),
        ("backup_retention_days", "a week", "whole number"),
        ("backup_window", "03:00-03:10", "shorter than 30 minutes"),
        ("backup_window", "3-4", "HH:MM-HH:MM"),
        ("deletion_protection", "yes", "neither true nor false"),
        ("command_hours", "8", "between 1 and 7"),
        ("drill", "weekly", "neither true nor false"),
        ("drill_schedule", "Sun 04:00", "six fields"),
        ("drill_storage_gib", "20", "between 21 and 200"),
        ("egress", "internet", "none of nat"),
        ("image", "123.dkr.ecr.eu-west-3.amazonaws.com/barograph:1", "without the registry"),
        ("image", "barograph", "repository:tag"),
        ("instance_class", "db.r5.huge", "none of db.t3.medium"),
        ("log_retention_days", "8", "none of 1, 3, 5"),
        ("maintenance_window", "sun:03:30-sun:04:30", "overlaps the backup window 03:00-04:00"),
        ("maintenance_window", "sun:04:30", "ddd:HH:MM"),
        ("master_secret_arn", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:x", "does not begin with"),
        ("profile", "large", "none of small, production"),
        ("replicas", "16", "between 0 and 15"),
        ("run_at", "24:00", "HH:MM"),
        ("runner", "cron", "none of fargate, ec2"),
        ("task_memory_mib", "512", "does not go with task_cpu 512"),
        ("timezone", "CET+1", "IANA"),
        ("vpc_cidr", "8.8.0.0/16", "private network"),
        ("zones", "eu-west-3a,eu-west-3b", "three different zones"),
        ("zones", "eu-west-3a,eu-west-3b,eu-west-1c", "eu-west-1c is not in eu-west-3"),
        ("landing_prefix", "/meteo/", "without / at its ends"),
    ],
)
def test_a_wrong_setting_is_refused(name: str, value: str, said: str) -> None:
    """The message names the setting, the value or what is wrong with it, and what would do."""
    with pytest.raises(SettingsError) as caught:
        settings(**{name: value})
    assert str(caught.value).startswith(f"barograph:{name}: ")
    assert said in str(caught.value)


def test_the_drills_time_on_an_instance_is_the_timers() -> None:
    """EventBridge's cron is no time for systemd: a setting that would have no effect is refused."""
    assert settings(drill_schedule="30 5 1 * ? *").drill_schedule == "30 5 1 * ? *"
    assert settings(runner="ec2").drill
    with pytest.raises(SettingsError, match="systemctl edit barograph-drill"):
        settings(runner="ec2", drill_schedule="30 5 1 * ? *")


def test_a_slip_in_a_name_is_told_with_the_nearest() -> None:
    """A setting that does not exist is not passed over in silence; the CDK's own keys are."""
    with pytest.raises(SettingsError, match="did you mean budget_usd"):
        settings(budget_us=5)
    assert Settings.from_context({**context(BASE), "@aws-cdk/core:flag": True}).name == "barograph"


@pytest.mark.parametrize(
    ("backup", "maintenance", "apart"),
    [
        ("23:30-00:30", "sun:00:00-sun:01:00", False),
        ("23:30-00:30", "mon:00:30-mon:01:30", True),
        ("00:00-01:00", "sun:23:30-mon:00:30", False),
        ("03:00-04:00", "mon:04:00-mon:05:00", True),
        ("03:00-04:00", "mon:02:00-tue:01:59", False),
    ],
)
def test_windows_are_compared_around_midnight_and_the_week(backup: str, maintenance: str, *, apart: bool) -> None:
    """Windows that touch are apart; AWS would refuse overlapping ones only after minutes of deployment."""
    given = {"backup_window": backup, "maintenance_window": maintenance}
    if apart:
        assert settings(**given).backup_window == backup
    else:
        with pytest.raises(SettingsError, match="overlaps"):
            settings(**given)


@pytest.mark.parametrize("name", INSTANCE_CLASSES)
def test_alarms_follow_the_class(name: str) -> None:
    """Below what the instance has, above nothing."""
    made = settings(instance_class=name)
    assert 0 < made.freeable_memory_alarm < INSTANCE_CLASSES[name].memory_gib * 1024**3
    assert 0 < made.connections_alarm < INSTANCE_CLASSES[name].connections


def test_image_tag_and_digest() -> None:
    """What the pull right is given for is the repository."""
    assert settings().repository == "barograph"
    assert settings(image=f"meteo/barograph@sha256:{'a' * 64}").repository == "meteo/barograph"
