"""What is in strings, quoted names and comments is hidden; everything else stays in its place."""

from __future__ import annotations

import pytest
from redshift.masking import masked


@pytest.mark.parametrize(
    ("sql", "hidden"),
    [
        ("select 'a;b' from t", "select 'xxx' from t"),
        ("select 'it''s' || x", "select 'xxxxx' || x"),
        (r"select 'it\'s' || x", "select 'xxxxx' || x"),
        (r"select '\\' || x", "select 'xx' || x"),
        ('select "a""b" from t', 'select "xxxx" from t'),
        ("select 1 -- 'a\nfrom t", "select 1      \nfrom t"),
        ("/* it's\na comment */ select 1", "       \n             select 1"),
        ("select $$it's$$, 1", "select 'xxxxxx', 1"),
        ("select $a$ $$ ' $a$, 1", "select 'xxxxxxxxxx', 1"),
        ("select $1 || $2 || '$'", "select $1 || $2 || 'x'"),
        ("select '--' || a -- b", "select 'xx' || a     "),
    ],
)
def test_what_is_not_grammar_is_hidden(sql: str, hidden: str) -> None:
    assert masked(sql) == hidden
    assert len(hidden) == len(sql)
