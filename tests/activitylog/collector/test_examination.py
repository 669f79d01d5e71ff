"""What all checks have in common: places, what is not known, wrong kinds, and ways through connectors."""

from __future__ import annotations

import pytest

from activitylog.collector import Role, Severity, examine, read_texts
from activitylog.exceptions import ConfigurationError
from tests.activitylog.collector.good import AGENT, BALANCER, FROM_KAFKA, GATEWAY, broken, examined, problems

PIPELINE = "processors: [memory_limiter, transform/event_name]"


def skipped(*texts: str, **environ: str) -> list[tuple[str, str]]:
    """Check and sentence of what could not be looked at."""
    return [
        (finding.check, finding.found)
        for finding in examined(*texts, **environ)
        if finding.severity == Severity.SKIPPED
    ]


class TestPlaces:
    def test_the_line_of_the_setting(self) -> None:
        """In the file that said it last."""
        overlay = "exporters:\n  clickhouse:\n    # a comment\n    create_schema: true\n"
        (finding,) = [finding for finding in examined(GATEWAY, overlay) if finding.is_problem]
        assert (finding.file, finding.line, finding.key) == ("b.yaml", 4, "exporters.clickhouse.create_schema")
        assert finding.found == "b.yaml:4 exporters.clickhouse.create_schema is true"
        assert finding.do == ("exporters:", "  clickhouse:", "    create_schema: false")

    def test_the_line_near_what_is_missing(self) -> None:
        """That of the component, or of the mapping in which it would stand."""
        text = broken(GATEWAY, ("    create_schema: false\n", ""))
        (finding,) = [finding for finding in examined(text) if finding.is_problem]
        assert finding.line == text.splitlines().index("  clickhouse:") + 1

    def test_an_overlay_repairs(self) -> None:
        """Files are judged together, not one by one."""
        text = broken(GATEWAY, ("    async_insert: false\n", ""))
        assert problems(text) == [("clickhouse.async_insert", "error")]
        assert problems(text, "exporters: {clickhouse: {async_insert: false}}") == []

    def test_a_component_of_two_pipelines_is_said_once(self) -> None:
        """However often it is used."""
        text = broken(
            GATEWAY,
            ("create_schema: false", "create_schema: true"),
            ("    logs:\n", f"    logs/2:\n      receivers: [otlp]\n      {PIPELINE}\n"
             "      exporters: [clickhouse]\n    logs:\n"),
        )  # fmt: skip
        assert problems(text) == [("routes.receivers", "warning"), ("clickhouse.create_schema", "error")]


class TestUnknown:
    def test_a_check_on_it_is_skipped(self) -> None:
        """Only those that need it, with the variable; the others go on."""
        text = broken(GATEWAY, ("    timeout: 60s", "    timeout: ${env:CLICKHOUSE_TIMEOUT}"))
        line = text.splitlines().index("    timeout: ${env:CLICKHOUSE_TIMEOUT}") + 1
        assert problems(text) == []
        assert skipped(text) == [
            (
                "clickhouse.timeout",
                f"a.yaml:{line} exporters.clickhouse.timeout is not known here: it depends on the variable "
                "CLICKHOUSE_TIMEOUT, which is not set here",
            )
        ]

    def test_known_from_the_environment(self) -> None:
        """It is judged as what it is."""
        text = broken(GATEWAY, ("    timeout: 60s", "    timeout: ${env:CLICKHOUSE_TIMEOUT}"))
        assert problems(text, CLICKHOUSE_TIMEOUT="60s") == []
        assert problems(text, CLICKHOUSE_TIMEOUT="1s") == [("clickhouse.timeout", "warning")]

    def test_a_password_that_is_not_known(self) -> None:
        """Whether there is one decides, so nothing is said."""
        text = broken(
            GATEWAY,
            ("tcp://clickhouse:9440?secure=true", "tcp://clickhouse:9000"),
            ("correct-horse", "${env:PASSWORD}"),
        )
        assert [check for check, _ in skipped(text)] == ["clickhouse.plain_text"]
        assert problems(text) == []

    def test_processors_that_are_not_known(self) -> None:
        """Nobody says that one is missing."""
        text = broken(GATEWAY, (PIPELINE, "processors: ${env:PROCESSORS}"))
        assert problems(text) == []
        assert [check for check, _ in skipped(text)] == [
            "service.components",
            "processors.batch",
            "processors.memory_limiter",
            "clickhouse.event_name",
        ]

    def test_an_exporter_that_is_not_known(self) -> None:
        """Nobody says that there is none."""
        text = broken(GATEWAY, ("exporters: [clickhouse]", "exporters: ['${env:EXPORTER}']"))
        assert problems(text) == []
        assert {check for check, _ in skipped(text)} == {
            "service.components", "service.exporters", "routes.exporters",
        }  # fmt: skip

    def test_a_file_that_is_not_there(self) -> None:
        """All that stands in it is not known."""
        text = broken(GATEWAY, ("      storage: file_storage/queue\n      sizer: bytes\n", "")).replace(
            "    sending_queue:\n      queue_size: 5000000\n      batch:\n        sizer: items\n"
            "        min_size: 20000\n        max_size: 50000\n        flush_timeout: 2s\n",
            "    sending_queue: ${file:queue.yaml}\n",
        )
        assert problems(text) == []
        assert ("queue.storage", "the file queue.yaml") in [
            (check, "the file queue.yaml") for check, found in skipped(text) if "the file queue.yaml" in found
        ]

    def test_pipelines_that_are_not_known(self) -> None:
        """There is nothing to look at then."""
        with pytest.raises(ConfigurationError, match="depends on the variable P, which is not set here"):
            examined("service: {pipelines: '${env:P}'}")


class TestWrongKinds:
    def test_of_a_setting(self) -> None:
        """An error of the checks that read it, and the others go on."""
        text = broken(GATEWAY, ("create_schema: false", "create_schema: 'false'"))
        found = [finding for finding in examined(text) if finding.is_problem]
        assert {(finding.severity, finding.key) for finding in found} == {
            (Severity.ERROR, "exporters.clickhouse.create_schema")
        }
        assert found[0].found.endswith("is a text, and must be true or false: the Collector does not start")

    @pytest.mark.parametrize(
        "text",
        [
            "service: {pipelines: [logs]}",
            "service: {pipelines: {logs: [otlp]}}",
            "service: {pipelines: {logs: {receivers: otlp}}}",
            "service: {pipelines: {logs: {receivers: [[otlp]]}}}",
            "receivers: [otlp]\nservice: {pipelines: {logs: {receivers: [otlp]}}}",
        ],
    )
    def test_of_the_sections(self, text: str) -> None:
        """It is no configuration that could be looked at."""
        with pytest.raises(ConfigurationError, match=r"a\.yaml:\d .*expected a"):
            examined(text)


class TestPipelines:
    @pytest.mark.parametrize(
        "text",
        [
            "receivers: {otlp: }",
            "service: {pipelines: }",
            "service: {pipelines: {traces: {receivers: [otlp]}, logsx: {}}}",
        ],
    )
    def test_none_for_logs(self, text: str) -> None:
        """A Collector that refuses events."""
        assert problems(text) == [("service.pipelines", "error")]

    def test_names_of_pipelines(self) -> None:
        """`logs/name` is one for logs, too."""
        assert problems(broken(AGENT, ("    logs:\n", "    logs/activity:\n"))) == []

    @pytest.mark.parametrize(
        ("changes", "check"),
        [
            ((("receivers: [otlp]", "receivers: []"),), "service.receivers"),
            (
                (("receivers: [otlp]", "receivers: [filelog]"), ("  otlp:\n", "  filelog:\n  otlp:\n")),
                "service.receivers",
            ),
            ((("exporters: [otlp_grpc]", "exporters: []"),), "service.exporters"),
            (
                (("exporters: [otlp_grpc]", "exporters: [debug]"), ("  otlp_grpc:\n", "  debug:\n  otlp_grpc:\n")),
                "service.exporters",
            ),
        ],
    )  # fmt: skip
    def test_without_a_beginning_or_an_end(self, changes: tuple[tuple[str, str], ...], check: str) -> None:
        """Nothing comes in, or it goes nowhere."""
        assert problems(broken(AGENT, *changes)) == [(check, "error")]

    def test_a_name_that_is_almost_right(self) -> None:
        """The near one is named."""
        text = broken(GATEWAY, (PIPELINE, "processors: [memory_limiter, transform/event_names]"))
        found = [finding for finding in examined(text) if finding.check == "service.references"]
        assert found[0].do[0] == "# Did you mean transform/event_name?"

    def test_connectors(self) -> None:
        """A pipeline may end in one and another one begin with it: what is on the way counts for both."""
        text = broken(
            GATEWAY,
            ("    logs:\n      receivers: [otlp]\n", "    logs:\n      receivers: [forward]\n"),
            (PIPELINE, "processors: [memory_limiter]"),
            (
                "  pipelines:\n",
                "  pipelines:\n    logs/in:\n      receivers: [otlp]\n"
                "      processors: [memory_limiter, transform/event_name]\n      exporters: [forward]\n",
            ),
            ("extensions:\n  file", "connectors:\n  forward:\nextensions:\n  file"),
        )
        assert problems(text) == []
        without = broken(text, ("[memory_limiter, transform/event_name]", "[memory_limiter]"))
        assert problems(without) == [("clickhouse.event_name", "warning")]

    def test_connectors_in_a_circle(self) -> None:
        """The Collector refuses them; here they only end."""
        text = (
            "connectors: {a: , b: }\nreceivers: {otlp: }\nservice: {pipelines: {logs/1: {receivers: [otlp, a], "
            "exporters: [b]}, logs/2: {receivers: [b], exporters: [a]}}}"
        )
        assert ("processors.memory_limiter", "warning") in problems(text)


DEBUG = "      receivers: [otlp]\n      processors: [memory_limiter]\n      exporters: [debug]\n"


class TestPipelinesOfOtherLogs:
    FILES = (
        (
            "    logs:\n",
            "    logs/files:\n      receivers: [filelog]\n      exporters: [otlp_http/loki]\n    logs:\n",
        ),
        ("  otlp:\n    protocols", "  filelog:\n  otlp:\n    protocols"),
        ("exporters:\n  clickhouse:", "exporters:\n  otlp_http/loki: {endpoint: 'http://loki'}\n  clickhouse:"),
    )

    def test_nothing_is_said_of_them(self) -> None:
        """But once that nothing is."""
        text = broken(GATEWAY, *self.FILES)
        assert problems(text) == []
        ((check, found),) = skipped(text)
        assert check == "service.others"
        assert "service.pipelines.logs/files is not judged: no otlp or kafka receiver leads to it" in found

    def test_that_a_connector_leads_to(self) -> None:
        """Events come there, too."""
        text = broken(
            GATEWAY,
            *self.FILES,
            ("receivers: [filelog]", "receivers: [filelog, forward]"),
            ("exporters: [clickhouse]", "exporters: [clickhouse, forward]"),
            ("extensions:\n  file", "connectors:\n  forward:\nextensions:\n  file"),
        )
        assert skipped(text) == []
        assert ("queue.storage", "error") in problems(text)

    def test_that_only_shows_them(self) -> None:
        """No loss and no second answer, where another pipeline delivers."""
        text = broken(
            GATEWAY,
            ("    logs:\n", "    logs/debug:\n" + DEBUG + "    logs:\n"),
            ("exporters:\n  clickhouse:", "exporters:\n  debug:\n  clickhouse:"),
        )
        assert problems(text) == []
        other = broken(
            text,
            ("logs/debug:\n      receivers: [otlp]", "logs/debug:\n      receivers: [otlp/2]"),
            ("  otlp:\n    protocols", "  otlp/2: {protocols: {}}\n  otlp:\n    protocols"),
        )
        assert problems(other) == [("service.exporters", "error")]


def forwarded(connector: str, second: str, exporter: str = "{}") -> str:
    """Events that a connector hands on to two pipelines, of which the second one ends elsewhere."""
    return broken(
        GATEWAY,
        ("    logs:\n      receivers: [otlp]\n", f"    logs:\n      receivers: [{connector}]\n"),
        (
            "  pipelines:\n",
            "  pipelines:\n    logs/in:\n      receivers: [otlp]\n      processors: [memory_limiter]\n"
            f"      exporters: [{connector}]\n    logs/second:\n      receivers: [{connector}]\n"
            f"      processors: [transform/event_name]\n      exporters: [{second}]\n",
        ),
        ("extensions:\n  file", f"connectors:\n  {connector}:\nextensions:\n  file"),
        ("exporters:\n  clickhouse:\n", f"exporters:\n  clickhouse/2: {exporter}\n  clickhouse:\n"),
    )


class TestTwice:
    def test_through_a_connector(self) -> None:
        """Both pipelines behind it store the event."""
        (finding,) = [finding for finding in examined(forwarded("forward", "clickhouse")) if finding.is_problem]
        assert (finding.check, finding.key) == ("routes.receivers", "receivers.otlp")
        assert "logs/second and service.pipelines.logs, to the same table" in finding.found

    def test_through_one_that_chooses(self) -> None:
        """An event goes one of the ways."""
        assert problems(forwarded("routing", "clickhouse")) == []

    @pytest.mark.parametrize(
        ("exporter", "twice"),
        [
            ("{endpoint: 'tcp://u:p@ClickHouse:9440', logs_table_name: activity_events_ingest}", True),
            ("{endpoint: 'tcp://other:9440', logs_table_name: activity_events_ingest}", False),
            ("{endpoint: 'tcp://clickhouse:9440', logs_table_name: otel_logs}", False),
            ("{endpoint: 'tcp://clickhouse:9440/x', logs_table_name: activity_events_ingest}", False),
            ("{endpoint: 'tcp://clickhouse:9440', database: x, logs_table_name: activity_events_ingest}", False),
        ],
    )
    def test_what_is_the_same_table(self, exporter: str, twice: bool) -> None:
        """Of the same server, in the same database."""
        found = problems(forwarded("forward", "clickhouse/2", exporter))
        assert (("routes.receivers", "warning") in found) is twice


class TestSecretsInNames:
    @pytest.mark.parametrize(
        "changes",
        [
            ((PIPELINE, "processors: [memory_limiter, transform/event_name, '${env:S}']"),),
            ((PIPELINE, "processors: [memory_limiter, transform/event_name, 'a/${env:S}']"),),
            (("exporters: [clickhouse]", "exporters: [clickhouse, '${env:S}']"),),
            ((PIPELINE, "processors: ${env:LIST}"),),
            (("extensions: [file_storage/queue]", "extensions: [file_storage/queue, '${env:S}']"),),
            (("extensions: [file_storage/queue]", "extensions: ['${env:S}']"),),
            (("      storage: file_storage/queue\n", "      storage: ${env:S}\n"),),
        ],
    )
    def test_are_not_shown(self, changes: tuple[tuple[str, str], ...]) -> None:
        """A name that nothing has may be a password that stands in the wrong place."""
        found = [
            finding
            for finding in examined(broken(GATEWAY, *changes), S="hunter2", LIST="[hunter2]")
            if finding.is_problem
        ]
        assert found
        assert "hunter2" not in repr(found)


class TestRoles:
    @pytest.mark.parametrize(
        ("text", "role", "expected"),
        [
            (GATEWAY, Role.GATEWAY, []),
            (FROM_KAFKA, Role.GATEWAY, []),
            (AGENT, Role.AGENT, []),
            (BALANCER, Role.AGENT, []),
            (AGENT, Role.GATEWAY, ["service.role"]),
            (GATEWAY, Role.AGENT, ["service.role"]),
            (GATEWAY, Role.AUTO, []),
        ],
    )
    def test_what_it_ends_in(self, text: str, role: Role, expected: list[str]) -> None:
        """A gateway in ClickHouse or Kafka, an agent in other Collectors; auto asks for neither."""
        found = examine(read_texts(("f.yaml", text), environ={}), role=role)
        assert [finding.check for finding in found if finding.is_problem] == expected
