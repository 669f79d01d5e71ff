"""Which store a command talks to."""

from __future__ import annotations

from pathlib import Path

import pytest

from activitylog.cli.store_option import choose_store, existing_store
from activitylog.exceptions import ConfigurationError, StoreUnavailableError


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory, and no settings from the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVITYLOG_URL", raising=False)
    monkeypatch.delenv("ACTIVITYLOG_CONFIG", raising=False)


class TestChooseStore:
    def test_option_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """--url is taken before anything else."""
        monkeypatch.setenv("ACTIVITYLOG_URL", "clickhouse://other")
        store = choose_store("clickhouse://u:secret@host/db")
        assert str(store) == "clickhouse://u:***@host:8123/db (--url)"
        assert store.option == " --url clickhouse://u:***@host:8123/db"

    @pytest.mark.parametrize("path", ["./data", "data", "/abs/da:ta", "~/data", "../x.d"])
    def test_folder_is_an_embedded_store(self, path: str) -> None:
        """A path is a chdb store, made absolute."""
        store = choose_store(path)
        assert store.url.kind == "chdb"
        assert store.folder == Path(path).expanduser().absolute()

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Of the destinations in the settings the first that can be asked is taken."""
        monkeypatch.setenv("ACTIVITYLOG_URL", "otlp://collector,chdb:///srv/store")
        assert str(choose_store(None)) == "chdb:///srv/store (the settings)"
        assert choose_store(None).option == ""

    def test_file(self, tmp_path: Path) -> None:
        """activitylog.toml says it, too."""
        (tmp_path / "activitylog.toml").write_text('url = "clickhouse://h"\n')
        assert str(choose_store(None)) == "clickhouse://h:8123 (the settings)"

    def test_default(self, tmp_path: Path) -> None:
        """Without any word it is a folder below the working directory."""
        assert str(choose_store(None)) == f"chdb://{tmp_path}/activitylog-data (the default)"

    def test_what_cannot_be_asked(self) -> None:
        """A destination that only takes events is refused, unless events are to be sent."""
        with pytest.raises(ConfigurationError, match="can be sent to, not asked"):
            choose_store("otlp://collector")
        assert choose_store("otlp://collector", any_destination=True).url.kind == "otlp"

    @pytest.mark.parametrize("text", ["http://h", "clickhose://h", "chdb://relative", " "])
    def test_wrong_url(self, text: str) -> None:
        """A URL that is none is refused."""
        with pytest.raises(ConfigurationError):
            choose_store(text)


class TestExistingStore:
    def test_nothing_is_made_by_asking(self, tmp_path: Path) -> None:
        """Asking a store that is not there is an error that says how to make one, and makes nothing."""
        with pytest.raises(StoreUnavailableError, match="There is no store at") as caught:
            existing_store(None)
        assert caught.value.hint is not None
        assert "activitylog demo" in caught.value.hint
        assert list(tmp_path.iterdir()) == []

    def test_the_folder_around_a_store(self, tmp_path: Path) -> None:
        """Whoever names the demo's folder is told where in it the store is."""
        (tmp_path / "demo" / "store" / "metadata").mkdir(parents=True)
        with pytest.raises(StoreUnavailableError) as caught:
            existing_store("demo")
        assert caught.value.hint == f"Did you mean {tmp_path / 'demo' / 'store'}?"
        assert existing_store("demo/store").folder == tmp_path / "demo" / "store"
