"""How much a test tries: less in the quick run, more in the deep one (`test --deep`)."""

import os


def many(quick: int, deep: int) -> int:
    """`deep` where the tests were started with --deep, else `quick`."""
    return deep if os.environ.get("KIT_DEEP") else quick
