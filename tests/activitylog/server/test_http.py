"""The HTTP interface as a plain client sees it: paths, queries and their parameters, the rights of each method."""

from __future__ import annotations

import json

import pytest

from tests.activitylog.server.conftest import Http


class TestPaths:
    @pytest.mark.parametrize("path", ["/", "/ping", "/replicas_status"])
    def test_ok(self, http_request: Http, path: str):
        """Health checks get ``Ok.`` and a line end."""
        answer = http_request(path=path)
        assert (answer.status, answer.text) == (200, "Ok.\n")

    def test_unknown_path(self, http_request: Http):
        """Another path without a query is 404, and says what there is."""
        answer = http_request(path="/nope")
        assert answer.status == 404
        assert answer.text.startswith("There is no handle /nope\n")

    def test_a_query_is_answered_on_any_path(self, http_request: Http):
        """As with ClickHouse a path before the query means nothing: proxies add one."""
        assert http_request(path="/clickhouse", query="SELECT 1").text == "1\n"
        assert http_request("SELECT 2", path="/clickhouse").text == "2\n"

    def test_head(self, http_request: Http):
        """HEAD has the headers of GET and no body."""
        answer = http_request(method="HEAD", query="SELECT 'four'")
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "5")

    def test_options_allow_nothing_to_others(self, http_request: Http):
        """A preflight is answered without any right."""
        answer = http_request(method="OPTIONS")
        assert (answer.status, [name for name in answer.headers if name.startswith("access-control")]) == (204, [])

    def test_other_methods(self, http_request: Http):
        """DELETE and others are 405."""
        assert http_request(method="DELETE").status == 405


class TestQuery:
    def test_url_and_body_are_one_query(self, http_request: Http):
        """The parameter and the body are joined by a line end."""
        assert http_request("+ 1", query="SELECT 1").text == "2\n"
        assert http_request("+ 2", query="SELECT 1 -- a comment ends with the line").text == "3\n"

    def test_parameters(self, http_request: Http):
        """Placeholders take their values from param_*, escaped as in a TSV file."""
        answer = http_request(
            "SELECT {a:String}, {b:Array(UInt8)} FORMAT JSONEachRow", param_a="it's\\ta", param_b="[1,2]"
        )
        assert list(json.loads(answer.text).values()) == ["it's\ta", [1, 2]]

    def test_parameters_of_an_insert(self, http_request: Http):
        """A placeholder may name the table that rows go into."""
        http_request("CREATE TABLE t (a Int8) ENGINE = Memory")
        assert http_request("INSERT INTO {t:Identifier} VALUES (1)", param_t="t").status == 200
        assert http_request("SELECT * FROM t").text == "1\n"

    def test_settings(self, http_request: Http):
        """Any other parameter is a setting, for this request alone."""
        query = "SELECT getSetting('max_block_size')"
        assert http_request(query, max_block_size=123).text == "123\n"
        assert http_request(query).text != "123\n"

    def test_unknown_setting(self, http_request: Http):
        """The engine says so: 115, status 404."""
        answer = http_request("SELECT 1", no_such_setting=1)
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (404, "115")
        assert "no_such_setting" in answer.text

    def test_setting_names_are_names(self, http_request: Http):
        """A parameter's name cannot carry SQL."""
        assert (
            http_request("SELECT 1", **{"max_threads = 1, readonly": "1"}).headers["x-clickhouse-exception-code"]
            == "115"
        )

    def test_bytes_that_are_no_text(self, http_request: Http):
        """A query may have any bytes; the value of a placeholder must be text."""
        assert http_request(b"SELECT '\xff'").body == b"\xff\n"
        assert http_request(query=b"SELECT '\xff'").body == b"\xff\n"
        answer = http_request("SELECT {a:String}", param_a=b"\xff")
        assert (answer.status, "param_a is not UTF-8" in answer.text) == (400, True)

    def test_form(self, http_request: Http):
        """clickhouse-connect may send query and parameters as a form."""
        body = (
            '--b\r\nContent-Disposition: form-data; name="query"\r\n\r\nSELECT {a:String}\r\n'
            '--b\r\nContent-Disposition: form-data; name="param_a"\r\n\r\nü\r\n--b--\r\n'
        )
        answer = http_request(body.encode(), headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert answer.text == "ü\n"

    def test_external_tables_are_refused(self, http_request: Http):
        """A file in a form is an external table: 501, with what to do instead."""
        body = '--b\r\nContent-Disposition: form-data; name="t"; filename="t"\r\n\r\n1\r\n--b--\r\n'
        answer = http_request(
            body.encode(), query="SELECT * FROM t", headers={"Content-Type": "multipart/form-data; boundary=b"}
        )
        assert (answer.status, answer.headers["x-clickhouse-exception-code"]) == (501, "48")
        assert "temporary table in a session" in answer.text

    def test_credentials_are_not_looked_at(self, http_request: Http):
        """There is no access control: any user and password will do."""
        headers = {"X-ClickHouse-User": "joe", "X-ClickHouse-Key": "secret", "Authorization": "Basic eDp5"}
        assert http_request("SELECT currentUser()", headers=headers, user="ann", password="x").text == "default\n"

    def test_database_header(self, http_request: Http):
        """The database may be given by header."""
        headers = {"X-ClickHouse-Database": "system"}
        assert http_request("SELECT currentDatabase()", headers=headers).text == "system\n"

    def test_a_long_query_has_the_engines_limit(self, http_request: Http):
        """A statement over max_query_size is refused, and the setting raises it."""
        query = "SELECT length('" + "x" * 300_000 + "')"
        answer = http_request(query)
        assert (answer.status, "Max query size exceeded" in answer.text) == (400, True)
        assert http_request(query, max_query_size=400_000).text == "300000\n"


class TestReadOnly:
    @pytest.mark.parametrize(
        "query",
        [
            "CREATE TABLE t (a Int8) ENGINE = Memory",
            "INSERT INTO FUNCTION file('x.csv', 'CSV', 'a Int8') VALUES (1)",
            "INSERT INTO FUNCTION null('a Int8') SELECT 1",
            "WITH 1 AS x INSERT INTO FUNCTION null('a Int8') SELECT x",
            "SYSTEM FLUSH LOGS",
        ],
    )
    @pytest.mark.parametrize("session", [{}, {"session_id": "readonly"}])
    def test_get_changes_nothing(self, http_request: Http, query: str, session: dict[str, str]):
        """A GET is READONLY, in a session, too; even for what the engine's readonly=2 lets pass."""
        assert http_request(query=query, **session).headers["x-clickhouse-exception-code"] == "164"

    def test_readonly_cannot_be_lifted(self, http_request: Http):
        """The setting in a URL does not give a GET the right to write."""
        assert http_request(query="SELECT 1", readonly="0").headers["x-clickhouse-exception-code"] == "164"
        assert http_request(query="SELECT getSetting('readonly')").text == "2\n"
