"""The same views in several variants: compare ``before.py`` with ``after.py``."""
