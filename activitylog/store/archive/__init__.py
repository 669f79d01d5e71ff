"""
Archives: partitions of the table of events as Parquet files, and the way back.

    manifest -> fingerprint, file_engine -> reading -> verify, rewrite, view
                                         -> table, presence, side_table, export -> restore
                                                           dropping -> leaving, export -> create

``manifest`` has the format, ``create`` says in which order rows leave the table and why.
"""

from activitylog.store.archive.create import Outcome, create
from activitylog.store.archive.file_engine import file_engine
from activitylog.store.archive.manifest import Archive, Manifest, archives, remove_unfinished
from activitylog.store.archive.restore import Restored, restore
from activitylog.store.archive.rewrite import count_rows, rewrite
from activitylog.store.archive.table import RECORD_TABLE, Partition, partitions
from activitylog.store.archive.verify import Checked, verify
from activitylog.store.archive.view import attach, choose, open_archives

__all__ = [
    "RECORD_TABLE",
    "Archive",
    "Checked",
    "Manifest",
    "Outcome",
    "Partition",
    "Restored",
    "archives",
    "attach",
    "choose",
    "count_rows",
    "create",
    "file_engine",
    "open_archives",
    "partitions",
    "remove_unfinished",
    "restore",
    "rewrite",
    "verify",
]
