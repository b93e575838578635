"""What an audit found, in sentences: which classes and groups are hurt, exemplars, and what predicts losses."""

from __future__ import annotations

from reds_core.audit.classes import WELCH
from reds_core.audit.records import AuditRecord, ClassAudit, GroupAudit, LossPrediction, MemberAudit
from reds_core.report import units

_MOST_NAMED = 3
TESTS = {True: "Welch’s t-test over networks", False: "McNemar’s exact test over examples"}
"""The name of the test, by whether it is Welch's."""


def worst_class(audit: AuditRecord, member: str) -> ClassAudit | None:
    """Return the class that loses the most recall in a member, or gains the least; None if no class has examples."""
    known = [each for each in audit.classes if each.after[member].change is not None]
    return min(known, key=lambda each: each.after[member].change or 0.0, default=None)


def worst_group(audit: AuditRecord, member: str) -> GroupAudit | None:
    """Return the group with the least accuracy in a member; None without groups."""
    return min(audit.groups, key=lambda each: each.after[member].accuracy, default=None)


def findings(audit: AuditRecord) -> tuple[str, ...]:
    """Return what was found, one sentence each, member by member."""
    found: list[str] = []
    for member in audit.members:
        found += [class_sentence(audit, member), exemplar_sentence(member)]
        found += [group_sentence(audit, member), prediction_sentence(member)]
    return tuple(sentence for sentence in found if sentence)


def class_sentence(audit: AuditRecord, member: MemberAudit) -> str:
    """Return which classes lose more than the average and more than chance."""
    figures = [(each, each.after[member.name]) for each in audit.classes]
    tested = sum(own.is_hurt is not None for _, own in figures)
    hurt = sorted((own.change or 0.0, each.name) for each, own in figures if own.is_hurt)
    if not tested:
        return f"{member.name}: no class could be tested, since no network differs from the others."
    if not hurt:
        return f"{member.name}: no class loses more recall than the average by more than chance."
    named = [f"{_named(name)} ({units.points(change)} points)" for change, name in hurt]
    more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
    listed = ", ".join(named[:_MOST_NAMED]) + more
    verb = "loses" if len(hurt) == 1 else "lose"
    return f"{member.name}: {listed} {verb} more recall than the average, by more than chance."


def exemplar_sentence(member: MemberAudit) -> str:
    """Return how many exemplars there are and how hard they are; empty if they were not looked for."""
    found = member.exemplars
    if found is None:
        return ""
    if not found.count:
        return f"{member.name}: there are no exemplars."
    return (
        f"{member.name}: {units.many(found.count, 'exemplar')} ({units.small_percent(found.share)} of the test "
        f"examples), of which the networks recognise {units.percent(found.accuracy_after)}, where it was "
        f"{units.percent(found.accuracy_before)} before compression; of all others it is "
        f"{units.percent(found.accuracy_without)}."
    )


def group_sentence(audit: AuditRecord, member: MemberAudit) -> str:
    """Return which group has the least accuracy; empty without groups."""
    worst = worst_group(audit, member.name)
    if worst is None:
        return ""
    after = worst.after[member.name]
    return (
        f"{member.name}: the group with the least accuracy is {_named(worst.name, 'group')}, "
        f"{units.percent(after.accuracy)} ({units.points(after.change or 0.0)} points)."
    )


def prediction_sentence(member: MemberAudit) -> str:
    """Return whether attributions predict the lost examples; empty if that was not measured."""
    found = member.prediction
    if found is None:
        return ""
    chance = "better than chance" if found.attribution.interval[0] > 0.5 else "no better than chance"
    if found.attribution.interval[1] < 0.5:
        chance = "worse than chance"
    low, high = found.advantage_interval
    against = "better than" if low > 0 else "worse than" if high < 0 else "not distinguishable from"
    return (
        f"{member.name}: the attribution of removed channels predicts the lost examples {chance} (AUC "
        f"{found.attribution.auc:.2f}, {units.p_value(found.p_value)}), and is {against} the margin of the input model "
        f"(AUC {found.baseline.auc:.2f}).{_at_equal_margin(found)}"
    )


def _at_equal_margin(found: LossPrediction) -> str:
    equal = found.at_equal_margin
    if equal is None:
        return ""
    return (
        f" Among examples of equal margin, its AUC is {equal.auc:.2f} ({equal.interval[0]:.2f} to "
        f"{equal.interval[1]:.2f})."
    )


def tests_made(audit: AuditRecord) -> str:
    """Return the names of the tests that were made."""
    return " and ".join(dict.fromkeys(TESTS[member.test == WELCH] for member in audit.members))


def _named(name: str, noun: str = "class") -> str:
    """Return a name in a sentence. One that is a number would be read as a figure."""
    return f"{noun} {name}" if name.isdecimal() else units.printable(name)
