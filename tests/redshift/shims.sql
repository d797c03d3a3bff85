-- What Redshift has and PostgreSQL lacks, made once in template1, which every database copies.
-- All of it is in pg_catalog, where Redshift has its own: no search_path hides it.
set allow_system_table_mods = on;
set search_path = pg_catalog;

create domain super as text;

-- Times. Without a zone they are UTC, which is the time zone of every session.

create function getdate() returns timestamp language sql stable
    return statement_timestamp() at time zone 'UTC';

create function convert_timezone(target text, moment timestamp) returns timestamp
    language sql immutable
    return (moment at time zone 'UTC') at time zone target;

create function convert_timezone(source text, target text, moment timestamp) returns timestamp
    language sql immutable
    return (moment at time zone source) at time zone target;

-- One unit of a date part, with Redshift's short names for it.
create function standin_unit(part text) returns interval language sql immutable
    return case
        when lower(part) in ('qtr', 'qtrs', 'quarter', 'quarters') then interval '3 months'
        else cast('1 ' || part as interval)
    end;

create function dateadd(part text, amount numeric, moment timestamp) returns timestamp
    language sql immutable
    return moment + cast(trunc(amount) as double precision) * standin_unit(part);

-- The number of the unit that a moment is in, counted from some beginning. Weeks begin on Monday,
-- and 1970-01-01 was a Thursday.
create function standin_number(unit interval, moment timestamp) returns bigint
    language sql immutable
    return case
        when unit >= interval '1 month' then floor(
            (extract(year from moment) * 12 + extract(month from moment) - 1)
            / (extract(year from unit) * 12 + extract(month from unit))
        )
        else floor(extract(epoch from moment + interval '3 days') / extract(epoch from unit))
    end;

-- How many borders of the unit lie between two moments, not how many units fit in.
create function datediff(part text, beginning timestamp, ending timestamp) returns bigint
    language sql immutable
    return standin_number(standin_unit(part), ending)
    - standin_number(standin_unit(part), beginning);

-- Values.

create function nvl(variadic anycompatiblearray) returns anycompatible language sql immutable
    as $$
        select candidate.value
        from unnest($1) with ordinality as candidate (value, place)
        where candidate.value is not null
        order by candidate.place
        limit 1
    $$;

create function len(text) returns integer language sql immutable
    return char_length($1);

-- The digits from the last one up. A number of base 16 may begin with 0x.
create function strtol(digits text, base integer) returns bigint language sql immutable
    return (
        select cast(sum(
            (position(digit.value in '0123456789abcdefghijklmnopqrstuvwxyz') - 1)
            * power(cast(base as numeric), digit.place - 1)
        ) as bigint)
        from unnest(string_to_array(
            reverse(regexp_replace(lower(digits), case base when 16 then '^0x' else '^$' end, '')),
            null
        )) with ordinality as digit (value, place)
    );

create function sha2(value text, bits integer) returns text language sql immutable
    return encode(
        case bits
            when 224 then sha224(convert_to(value, 'UTF8'))
            when 384 then sha384(convert_to(value, 'UTF8'))
            when 512 then sha512(convert_to(value, 'UTF8'))
            else sha256(convert_to(value, 'UTF8'))
        end,
        'hex'
    );

-- COPY.

create function pg_last_copy_count() returns bigint language sql stable
    return cast(coalesce(nullif(current_setting('standin.last_copy_count', true), ''), '0') as bigint);

create sequence standin_query;

create table standin_load_error (
    query_id bigint,
    table_id oid,
    start_time timestamp,
    session_id integer,
    file_name text,
    column_name text,
    column_type text,
    column_length text,
    error_code integer,
    error_message text
);

create table standin_load (
    query_id bigint,
    table_id oid,
    start_time timestamp,
    session_id integer,
    file_name text,
    lines_scanned bigint
);

create view sys_load_error_detail as
select
    100 as user_id,
    query_id,
    query_id as transaction_id,
    session_id,
    cast(current_database() as text) as database_name,
    cast(table_id as integer) as table_id,
    start_time,
    file_name,
    cast(0 as bigint) as line_number,
    column_name,
    column_type,
    column_length,
    0 as position,
    error_code,
    error_message
from standin_load_error;

create view stl_load_errors as
select
    user_id as userid,
    0 as slice,
    table_id as tbl,
    start_time as starttime,
    session_id as session,
    cast(query_id as integer) as query,
    file_name as filename,
    line_number,
    column_name as colname,
    column_type as type,
    column_length as col_length,
    position,
    '' as raw_line,
    '' as raw_field_value,
    error_code as err_code,
    cast(error_message as varchar(100)) as err_reason,
    0 as is_partial,
    cast(0 as bigint) as start_offset
from sys_load_error_detail;

create view sys_load_detail as
select
    100 as user_id,
    query_id,
    session_id,
    cast(table_id as integer) as table_id,
    start_time,
    file_name,
    lines_scanned
from standin_load;

-- The catalog as dbt reads it. There are no views without binding, and nothing is external.

create function pg_get_late_binding_view_cols() returns setof record language plpgsql stable
    as 'begin return; end';

create view svv_external_tables as
select
    cast(null as text) as schemaname,
    cast(null as text) as tablename,
    cast(null as text) as location
where false;

create view svv_external_columns as
select
    cast(null as text) as schemaname,
    cast(null as text) as tablename,
    cast(null as text) as columnname,
    cast(null as text) as external_type,
    cast(null as integer) as columnnum,
    cast(null as integer) as part_key
where false;

create view svv_table_info as
select
    cast(current_database() as text) as database,
    cast(pg_namespace.nspname as text) as schema,
    cast(pg_class.oid as integer) as table_id,
    cast(pg_class.relname as text) as "table",
    cast('N' as text) as encoded,
    cast('AUTO(ALL)' as text) as diststyle,
    cast(null as text) as sortkey1,
    cast(null as integer) as max_varchar,
    cast(null as text) as sortkey1_enc,
    0 as sortkey_num,
    pg_total_relation_size(pg_class.oid) / 1000000 as size,
    cast(0 as numeric(10, 4)) as pct_used,
    cast(null as numeric(5, 2)) as unsorted,
    cast(0 as numeric(5, 2)) as stats_off,
    cast(greatest(pg_class.reltuples, 0) as numeric(38, 0)) as tbl_rows,
    cast(null as numeric(19, 2)) as skew_sortkey1,
    cast(null as numeric(19, 2)) as skew_rows
from pg_class
inner join pg_namespace on pg_class.relnamespace = pg_namespace.oid
where
    pg_class.relkind = 'r'
    and pg_namespace.nspname not in ('pg_catalog', 'information_schema', 'pg_toast');
