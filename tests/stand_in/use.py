"""What tests of xcubeai do with the stand-in: generate by it, and be refused in words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kit.errors import KitError
from kit.generate import Generated, generate_network


def by_st(model: Path, out: Path, root: Path | None = None, **settings: Any) -> Generated:
    """A network of the stand-in in `root`, or of a zip (`from_zip`)."""
    return generate_network(model, out, "xcubeai", **{"tool": root} | settings)


@contextmanager
def refused(out: Path, *said: str) -> Iterator[None]:
    """A KitError with these words and a way out, and the earlier network in `out` untouched."""
    with pytest.raises(KitError) as error:
        yield
    text = str(error.value)
    assert [word for word in said if word not in text] == [], text
    assert error.value.next_step
    assert [path.name for path in out.iterdir()] == ["network.json"]
    assert [path.name for path in out.parent.iterdir()] == [out.name]
