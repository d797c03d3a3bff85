{#- The rules of ingest/pseudonyms.py in SQL: docs/operations/privacy.md says what is hidden. -#}


{#- The body of a CTE. -#}
{% macro with_client_names(relation) %}
    {%- if var('pseudonymise') != 'client_ip' -%}
    select * from {{ relation }}
    {%- elif var('pseudonym_method') == 'truncate' -%}
    select
        {{ relation }}.*,
        {{ truncated_client() }} as client_name
    from {{ relation }}
    {%- else -%}
    select
        hashed.*,
        {{ hashed_client('client_digits') }} as client_name
    from (
        select
            {{ relation }}.*,
            sha2(
                {{ pseudonym_key('outer_key') }}
                || sha2({{ pseudonym_key('inner_key') }} || coalesce(client_ip, client_address), 256),
                256
            ) as client_digits
        from {{ relation }}
    ) as hashed
    {%- endif -%}
{% endmacro %}


{% macro hashed_client(digits) -%}
    'fd' || substring({{ digits }}, 1, 2)
    {%- for first in range(3, 24, 3) %} || ':a' || substring({{ digits }}, {{ first }}, 3){% endfor %}
{%- endmacro %}


{% macro truncated_client() -%}
    case
            when coalesce(client_ip, client_address) is null then null
            when client_ip is null then 'hidden'
            when position(':' in client_ip) = 0 then regexp_replace(client_ip, '[.][0-9]+$', '.0')
            else regexp_replace(
                coalesce(
                    regexp_substr(
                        split_part(client_ip, '::', 1), '^[0-9a-f]+(:[0-9a-f]+)?(:[0-9a-f]+)?'
                    ),
                    ''
                ),
                '(:0)+$',
                ''
            ) || '::'
        end
{%- endmacro %}


{#- A column of the select list. -#}
{% macro without_client(column) -%}
    {%- if var('pseudonymise') != 'client_ip' -%}
    {{ column }}
    {%- elif column == 'client_ip' -%}
    case when client_ip is not null then client_name end as client_ip
    {%- elif column == 'client_address' -%}
    client_name as client_address
    {%- elif column == 'forwarded_for' -%}
    cast(null as varchar(2048)) as forwarded_for
    {%- else -%}
    case
        when length(client_ip) >= 7
            then replace(replace({{ column }}, client_address, client_name), client_ip, client_name)
        else {{ column }}
    end as {{ column }}
    {%- endif -%}
{%- endmacro %}


{#- Looked up when a query runs: no file of dbt, and no log of ours, contains a key. -#}
{% macro pseudonym_key(name) -%}
    (select max({{ name }}) from {{ pseudonym_keys_relation() }})
{%- endmacro %}


{% macro pseudonym_keys_relation() %}
    {%- set landed = source('landing', 'batches') -%}
    {{ return(landed.incorporate(path={'identifier': 'pseudonym_keys'})) }}
{% endmacro %}


{#- A misspelt client_ip must not show addresses; YAML reads a bare no as false. -#}
{% macro require_pseudonym_keys() %}
    {%- set method = var('pseudonym_method') -%}
    {%- if not execute or flags.WHICH not in ('run', 'build', 'test') -%}
    {%- elif var('pseudonymise') not in ('client_ip', 'no', false) -%}
        {%- do exceptions.raise_compiler_error("the var pseudonymise must be client_ip or no") -%}
    {%- elif method not in ('hash', 'truncate') -%}
        {%- do exceptions.raise_compiler_error(
            "the var pseudonym_method must be hash or truncate"
        ) -%}
    {%- elif (
        var('pseudonymise') == 'client_ip'
        and method == 'hash'
        and load_relation(pseudonym_keys_relation()) is none
    ) -%}
        {%- do exceptions.raise_compiler_error(
            "the key for pseudonyms has never been stored: set CLICKSTREAM_PSEUDONYM_KEY and "
            ~ "run `clickstream run`"
        ) -%}
    {%- endif -%}
{% endmacro %}
