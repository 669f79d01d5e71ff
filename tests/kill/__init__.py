"""
The kill matrix: processes that emit are killed in every way at named places, and nothing may be lost or doubled.

    python -m tests.kill                 the long form: every way, place and kind of process, 210 kills
    pytest -m slow tests/kill            the short form, and the controls that must fail

What is acknowledged is written to a ledger by the process that emits, after ``emit`` has returned; afterwards
another process sends what is left in the spool, and the store is asked what it has.
"""
