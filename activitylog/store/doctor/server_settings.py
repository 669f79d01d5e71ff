"""Settings of the user's profile that break what we promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from activitylog.store.doctor.commands import changing
from activitylog.store.doctor.examined import Examined
from activitylog.store.doctor.finding import Check, Verdict, error, ok, warning, worst


@dataclass(frozen=True, slots=True)
class Setting:
    """``fixed``: the profile does not let an insert say otherwise."""

    value: str
    fixed: bool = False


_ASKED: Final = (
    "async_insert",
    "deduplicate_blocks_in_dependent_materialized_views",
    "deduplicate_insert",
    "ignore_materialized_views_with_dropped_target_table",
    "insert_deduplicate",
    "materialized_views_ignore_errors",
)


def ask_settings(examined: Examined) -> dict[str, Setting]:
    """The values that an insert by this user has unless it says otherwise; older servers lack some."""
    rows = examined.database.rows(
        "SELECT name, value, readonly FROM system.settings WHERE name IN {names:Array(String)}", names=list(_ASKED)
    )
    return {row["name"]: Setting(row["value"], bool(row["readonly"])) for row in rows}


def judge_settings(settings: Mapping[str, Setting]) -> Verdict:
    """What our inserts override is only reported where they may not, or where a Collector's inserts suffer."""
    views = settings.get("deduplicate_blocks_in_dependent_materialized_views", Setting("1"))
    asynchronous = settings.get("async_insert", Setting("0"))
    problems = []
    if _on(settings.get("materialized_views_ignore_errors", Setting("0"))):
        problems.append(
            error(
                "materialized_views_ignore_errors is 1: an insert whose view fails succeeds without it",
                do=(_alter("materialized_views_ignore_errors", "0"),),
            )
        )
    if _on(settings.get("ignore_materialized_views_with_dropped_target_table", Setting("0"))):
        problems.append(
            error(
                "ignore_materialized_views_with_dropped_target_table is 1: an insert succeeds without a view whose"
                " table is gone",
                do=(_alter("ignore_materialized_views_with_dropped_target_table", "0"),),
            )
        )
    if not _on(settings.get("insert_deduplicate", Setting("1"))):
        problems.append(
            error(
                "insert_deduplicate is 0: a batch that is sent again is stored again",
                do=(_alter("insert_deduplicate", "1"),),
            )
        )
    if settings.get("deduplicate_insert", Setting("enable")).value == "disable":
        problems.append(
            error(
                "deduplicate_insert is 'disable': a batch that is sent again is stored again",
                do=(_alter("deduplicate_insert", "'enable'"),),
            )
        )
    if not _on(views):
        problems.append(_views_not_deduplicated(views))
    if _on(asynchronous) and asynchronous.fixed:
        problems.append(
            error(
                "async_insert is 1 and the profile does not let an insert change it: ours are refused",
                do=("# Take the constraint on async_insert from the writer's settings profile.",),
            )
        )
    return worst(*problems) if problems else ok(_described(asynchronous))


def _views_not_deduplicated(views: Setting) -> Verdict:
    name = "deduplicate_blocks_in_dependent_materialized_views"
    if views.fixed:
        return error(
            f"{name} is 0 and the profile does not let an insert change it: ours are refused",
            do=(f"# Take the constraint on {name} from the writer's settings profile.",),
        )
    return warning(
        f"{name} is 0: our inserts say 1, but what a Collector sends again counts twice in roll-ups",
        do=(_alter(name, "1"),),
    )


def _described(asynchronous: Setting) -> str:
    if _on(asynchronous):
        return "async_insert is on here; our inserts turn it off for themselves, nothing else stands against them"
    return "nothing stands against exactly-once inserts"


def _on(setting: Setting) -> bool:
    return setting.value not in ("0", "false", "")


def _alter(name: str, value: str) -> str:
    return changing(f"ALTER USER CURRENT_USER SETTINGS {name} = {value}")


SETTINGS: Final = Check(
    "settings",
    "Settings of the server",
    "These settings decide whether a batch that is sent again is stored once, and whether an insert fails when "
    "one of its views fails.",
    ask_settings,
    judge_settings,
)
