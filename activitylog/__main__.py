"""``python -m activitylog``: the same as the command ``activitylog``."""

from activitylog.cli import main

if __name__ == "__main__":
    main()
