"""A mail before it becomes expensive."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_budgets as budgets

from deploy.aws.settings import Settings


def make_budget(stack: Stack, settings: Settings) -> budgets.CfnBudget:
    """The account's budget of a month: told at 80 % of it, and when AWS forecasts that it will be exceeded."""
    prop = budgets.CfnBudget
    mail = prop.SubscriberProperty(subscription_type="EMAIL", address=settings.alert_email)
    warnings = [
        prop.NotificationWithSubscribersProperty(
            notification=prop.NotificationProperty(
                notification_type=kind, comparison_operator="GREATER_THAN", threshold=share, threshold_type="PERCENTAGE"
            ),
            subscribers=[mail],
        )
        for kind, share in (("ACTUAL", 80), ("FORECASTED", 100))
    ]
    return prop(
        stack,
        "Budget",
        budget=prop.BudgetDataProperty(
            budget_name=settings.name,
            budget_type="COST",
            time_unit="MONTHLY",
            budget_limit=prop.SpendProperty(amount=settings.budget_usd, unit="USD"),
        ),
        notifications_with_subscribers=warnings,
    )
