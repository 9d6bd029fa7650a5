"""kit/tables.py: one table as text for terminals and nbval, and as HTML; values in words."""

import re

import numpy as np

from kit.tables import table

ROWS = [
    {"name": "int8 <small>", "bytes": 129_008, "accuracy": np.float64(0.9741), "fits": True},
    {"name": "Keras", "bytes": np.int64(1_446_811), "accuracy": 0.5, "fits": np.bool_(False)},
]
COLUMNS = {"name": "model", "bytes": "bytes", "accuracy": "read correctly", "fits": "fits"}


def test_table_as_text():
    """Aligned plain text: what nbval compares and a terminal shows."""
    made = table(ROWS, COLUMNS, "Two models", {"accuracy": ".1%"})
    assert repr(made).splitlines() == [
        "Two models",
        "model             bytes  read correctly  fits",
        "------------  ---------  --------------  ----",
        "int8 <small>    129,008           97.4%  yes",
        "Keras         1,446,811           50.0%  no",
    ]


def test_table_as_html():
    """Escaped, with a caption and numbers to the right; the same every time."""
    html = table(ROWS, COLUMNS, "Two & two")._repr_html_()
    assert re.search(r"<caption[^>]*>Two &amp; two</caption>", html)
    assert '<td style="text-align:left">int8 &lt;small&gt;</td>' in html
    assert '<td style="text-align:right">1,446,811</td>' in html
    assert html.count("<tr>") == 3
    assert html == table(ROWS, COLUMNS, "Two & two")._repr_html_()


def test_table_of_nothing_and_of_keys():
    """No rows, keys as headings, an unknown value left empty."""
    assert repr(table([], ["a", "b"])).splitlines() == ["a  b", "-  -"]
    assert repr(table([{"a": None, "b": 0.123456}], ["a", "b"])).endswith("   0.1235")
