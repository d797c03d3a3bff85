{#- The body of a CTE. Rows of replaced and quarantined batches do not count. -#}
{% macro live_rows(relation) %}
    select * from {{ relation }}
    where batch_id in (select batch_id from {{ ref('stg_landing__batches') }} where is_live)
{%- endmacro %}
