"""Processors that change what columns are made of."""

from __future__ import annotations

from tests.activitylog.collector.good import GATEWAY, Breakage, assert_broken, broken, each, examined, processor


def attributes(action: str) -> tuple[tuple[str, str], ...]:
    """Changes that put an action of the attributes processor there."""
    return processor(f"attributes: {{actions: [{{{action}}}]}}")


def statement(text: str) -> tuple[tuple[str, str], ...]:
    """Changes that put a statement there."""
    return processor(f"transform/more:\n    log_statements:\n      - {text}", "transform/more")


BREAKAGES: list[Breakage] = [
    (
        GATEWAY,
        attributes("action: delete, key: log.record.uid"),
        "keys.attributes",
        "error",
        "processors.attributes.actions[0]",
        "deletes log.record.uid: events that arrive twice",
    ),
    (
        GATEWAY,
        attributes("action: HASH, key: user.id"),
        "keys.attributes",
        "warning",
        "processors.attributes.actions[0]",
        "hashes user.id: ActorId is wrong",
    ),
    (
        GATEWAY,
        attributes("action: upsert, key: activity.sample.weight, value: 1"),
        "keys.attributes",
        "error",
        "processors.attributes.actions[0]",
        "overwrites activity.sample.weight: rows that stand for several events count for one",
    ),
    (
        GATEWAY,
        attributes("action: delete, pattern: '^activity\\.(seq|producer)$'"),
        "keys.attributes",
        "error",
        "processors.attributes.actions[0]",
        "deletes activity.producer, activity.seq: `activitylog verify` cannot say",
    ),
    (
        GATEWAY,
        processor(
            "attributes: {include: {match_type: strict, log_bodies: [a]}, "
            "actions: [{action: delete, key: log.record.uid}]}"
        ),
        "keys.attributes",
        "warning",
        "processors.attributes.actions[0]",
        "for the events that its condition takes",
    ),
    (
        GATEWAY,
        processor("resource: {attributes: [{action: delete, key: service.name}]}"),
        "keys.resource",
        "warning",
        "processors.resource.attributes[0]",
        "ServiceName is wrong",
    ),
    (
        GATEWAY,
        statement('delete_key(log.attributes, "activity.seq")'),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0]",
        "deletes activity.seq",
    ),
    (
        GATEWAY,
        statement('delete_matching_keys(log.attributes, "^user\\\\.") where log.body == "a, where b"'),
        "keys.transform",
        "warning",
        "processors.transform/more.log_statements[0]",
        "deletes user.id: ActorId is wrong, for the events that its condition takes",
    ),
    (
        GATEWAY,
        statement('keep_keys(log.attributes, ["http.route"])'),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0]",
        "deletes log.record.uid",
    ),
    (
        GATEWAY,
        statement('keep_matching_keys(log.attributes, "^(log|user)")'),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0]",
        "deletes activity.count",
    ),
    (
        GATEWAY,
        statement("limit(log.attributes, 10, [])"),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0]",
        "may delete, at random,",
    ),
    (
        GATEWAY,
        statement("truncate_all(log.attributes, 20)"),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0]",
        "cuts values after 20 bytes",
    ),
    (
        GATEWAY,
        statement("truncate_all(log.attributes, 4096)"),
        "keys.transform",
        "warning",
        "processors.transform/more.log_statements[0]",
        "clients keep 8,192",
    ),
    (
        GATEWAY,
        statement('set(log.event_name, "other")'),
        "keys.transform",
        "warning",
        "processors.transform/more.log_statements[0]",
        "EventName is wrong",
    ),
    (
        GATEWAY,
        statement('set(log.attributes["activity.tenant.id"], "acme")'),
        "keys.transform",
        "warning",
        "processors.transform/more.log_statements[0]",
        "TenantId is wrong",
    ),
    (
        GATEWAY,
        processor(
            "transform/more:\n    log_statements:\n      - context: log\n        statements:\n"
            '          - set(attributes["activity.seq"], 1)',
            "transform/more",
        ),
        "keys.transform",
        "error",
        "processors.transform/more.log_statements[0].statements[0]",
        "overwrites activity.seq",
    ),
    (
        GATEWAY,
        processor("redaction: {blocked_values: ['4[0-9]{12}']}"),
        "keys.redaction",
        "error",
        "processors.redaction.allow_all_keys",
        "lets go of log.record.uid",
    ),
    (
        GATEWAY,
        processor("redaction: {allow_all_keys: true, blocked_key_patterns: ['.*address.*']}"),
        "keys.redaction",
        "warning",
        "processors.redaction.blocked_key_patterns[0]",
        "masks client.address",
    ),
]


@each(BREAKAGES)
def test_one_thing_is_broken(breakage: Breakage) -> None:
    """The check says so, and no other one."""
    assert_broken(breakage)


def test_lists_of_redaction_keep_what_is_there() -> None:
    """And nobody is told to let all keys through."""
    lists = "allowed_keys: [mine], ignored_keys: [other, '${env:A}'], blocked_key_patterns: ['^user']"
    text = broken(GATEWAY, *processor(f"redaction: {{{lists}}}"))
    allowed, ignored = (finding.do for finding in examined(text, A="hidden") if finding.check == "keys.redaction")
    assert not any("allow_all_keys" in line for line in allowed)
    assert {"      - mine", "      - log.record.uid", "      - user.id"} <= set(allowed)
    assert ignored[-4:-1] == ("      - other", "      # what stands in ${...}", "      - user.id")
