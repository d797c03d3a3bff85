{#- The body of a CTE. What replaced or quarantined batches brought does not count. -#}
{% macro live_rows(relation) %}
    select * from {{ relation }}
    where batch_id in (select batch_id from {{ ref('stg_landing__batches') }} where is_live)
{%- endmacro %}
