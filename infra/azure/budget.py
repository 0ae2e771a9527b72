"""A budget that tells. Hours late: a net, and no switch."""

from dataclasses import dataclass
from datetime import date

import pulumi
import pulumi_azure_native as azure


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthlyBudgetArgs:
    """What a `MonthlyBudget` is made from."""

    group_id: pulumi.Input[str]
    """Of the resource group, which holds all of the stack and nothing else: no tag has to be activated."""
    stamp: str
    limit_usd: float
    """In the subscription's own currency, as Azure reads it."""
    email: str
    today: date
    """Azure takes no start before the present month."""


class MonthlyBudget(pulumi.ComponentResource):
    """Writes a mail when the month's bill of this stack nears its limit."""

    def __init__(
        self, name: str, args: MonthlyBudgetArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("sonarstack:azure:MonthlyBudget", name, None, opts)
        azure.consumption.Budget(
            f"{name}-budget",
            budget_name=args.stamp,
            scope=args.group_id,
            category="Cost",
            amount=args.limit_usd,
            time_grain="Monthly",
            time_period=azure.consumption.BudgetTimePeriodArgs(
                start_date=f"{args.today.replace(day=1):%Y-%m-%dT00:00:00Z}"
            ),
            notifications={
                key: azure.consumption.NotificationArgs(
                    enabled=True,
                    operator="GreaterThan",
                    threshold=threshold,
                    threshold_type=kind,
                    contact_emails=[args.email],
                )
                for key, kind, threshold in (
                    ("actual", "Actual", 80.0),
                    ("forecast", "Forecasted", 100.0),
                )
            },
            # Next month's start would be a change, and Azure takes no other start for a budget that runs.
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["timePeriod"]),
        )
        self.register_outputs({})
