"""
The team's application, twice: ``before`` writes rows, ``after`` has the drop-in. ``call_sites.py`` is one file
for both.

Each is run in a process of its own by ``run.py``, which says what happened as one JSON document.
"""
