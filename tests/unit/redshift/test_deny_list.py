"""Each form that PostgreSQL has and Redshift lacks is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from redshift.deny_list import denied, main

FORMS = {
    "DISTINCT ON": "select distinct on (a) a, b from t",
    "FILTER (": "select count(*) filter (where a > 1) from t",
    "STRING_AGG": "select String_Agg(a, ',') from t",
    "ARRAY_AGG": "select array_agg(a) from t",
    "RETURNING": "delete from t returning a",
    "ON CONFLICT": "insert into t values (1) on conflict do nothing",
    "generate_series": "select * from generate_series(1, 3)",
    "make_interval": "select make_interval(days => 1)",
    "jsonb": "select cast(a as jsonb) from t",
    "ARRAY[": "select array [1, 2]",
    "LATERAL": "select * from t, lateral (select a) as s",
    "unnest": "select unnest(a) from t",
    "regexp_match": "select regexp_match(a, 'b') from t",
    "EXCLUDE": "select sum(a) over (order by b rows unbounded preceding exclude ties) from t",
}
OPTIONS = ("maxerror 10", "region 'eu-west-1'", "compupdate off", "gzip", "csv")
COPY = "copy t (a, region) from 's3://b/csv' iam_role 'arn:csv' format as parquet manifest"


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_redshift_lacks_is_found(form: str) -> None:
    assert denied(f"-- dbt\n{FORMS[form]};") == [f"2: {form}"]


@pytest.mark.parametrize(
    "type_", ["a::text[]", "cast(a as integer[3])", "cast(a as int array)", "a varchar []"]
)
def test_an_array_type_is_found(type_: str) -> None:
    assert denied(f"create table t as select\n    {type_} from t") == ["2: array type"]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_of_copy_is_found(option: str) -> None:
    name = option.split()[0].upper()
    assert denied(f"{COPY}\n{option}; select region") == [f"2: COPY option {name}"]


@pytest.mark.parametrize(
    "sql",
    [
        *(f"select '{form}' -- {form}" for form in FORMS),
        '/* a::jsonb */ select "returning" from t',
        COPY,
        f"{COPY} fillrecord statupdate off;",
        "copy t from 's3://b/k' iam_role default format as parquet",
        "select listagg(a, ',') within group (order by b), array(1, 2), filter from t",
        "select distinct only, excluded, unnested, region from copied",
        "select sum(a) over (order by b rows between 1 preceding and current row) from t",
    ],
)
def test_what_redshift_has_is_not_found(sql: str) -> None:
    assert denied(sql) == []


def test_all_forms_of_a_text_are_found_in_order() -> None:
    assert denied("\n".join(FORMS.values())) == [
        f"{number}: {form}" for number, form in enumerate(FORMS, 1)
    ]


def test_the_command_names_each_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 0
    (tmp_path / "models").mkdir()
    wrong = tmp_path / "models" / "a.sql"
    wrong.write_text("select 1,\n    unnest(a) from t\n")
    (tmp_path / "b.txt").write_text("select unnest(a)")
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{wrong}:2: unnest\n"
