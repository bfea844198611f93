"""docs/aws.md says what the code says."""

from __future__ import annotations

from dataclasses import fields

import pytest

from deploy.aws.cost import PARIS, WORKLOADS, bill, in_paris
from deploy.aws.settings import INSTANCE_CLASSES, PROFILES, Settings
from deploy.aws.tables import PAGE, example, made
from tests.docs.pages import blocks, cells


def test_the_tables_are_current() -> None:
    """`python -m deploy.aws.tables` was run after the last change of a setting, an alarm, a metric or a price."""
    text = PAGE.read_text(encoding="utf-8")
    assert made(text) == text


def test_every_setting_is_documented() -> None:
    """Each once, with its meaning."""
    rows = {row[0].strip("`"): row[2] for row in cells(PAGE, "| setting | default | meaning |")}
    assert rows == {item.name: item.metadata["help"] for item in fields(Settings)}


def test_what_needs_an_account_is_marked() -> None:
    """No console block of the page is run by the tests, and each says why."""
    consoles = [block for block in blocks(PAGE) if block.language == "console"]
    assert len(consoles) > 5
    assert all(block.not_run for block in consoles)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_sum_is_the_sum(profile: str) -> None:
    """The page's arithmetic, done again from its own cells; the budget leaves room above the estimate, not twice it."""
    *lines, total, paris = cells(PAGE, f"| {profile} | quantity a month |")
    amounts = [float(row[3].replace(",", "")) for row in lines]
    again = [float(row[1].split()[0].replace(",", "")) * float(row[2]) for row in lines]
    assert amounts == pytest.approx(again, abs=0.02)
    assert float(total[3].replace(",", "")) == pytest.approx(sum(amounts), abs=0.1)
    estimate = float(paris[3].strip("*").replace(",", ""))
    assert estimate == pytest.approx(sum(amounts) * PARIS, abs=1)
    assert estimate < example(profile).budget_usd < 2 * estimate


@pytest.mark.parametrize("name", INSTANCE_CLASSES)
def test_every_class_has_a_price(name: str) -> None:
    """No class can be chosen whose cost cannot be told; a larger one costs more."""
    settings = example("small")
    with_class = Settings.from_context(
        {f"barograph:{item.name}": getattr(settings, item.name) for item in fields(Settings)}
        | {"barograph:instance_class": name}
    )
    cheapest = in_paris(bill(settings, WORKLOADS["small"]))
    assert in_paris(bill(with_class, WORKLOADS["small"])) >= cheapest
