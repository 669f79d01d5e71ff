"""
Archives: partitions of the table of events as Parquet files, and the way back.

    manifest -> fingerprint, file_engine -> reading -> verify, rewrite, view
                                         -> side_table, export -> create, restore

``manifest`` has the format, ``create`` says in which order rows leave the table and why.
"""

from activitylog.store.archive.manifest import Archive, Manifest, archives
from activitylog.store.archive.rewrite import count_rows, rewrite

__all__ = ["Archive", "Manifest", "archives", "count_rows", "rewrite"]
