{#- The ids are looked up when the model runs, because only literals always prune partitions. -#}
{% macro new_batches() %}
    {%- set batches = ref('stg_landing__batches') -%}
    {%- if is_incremental() -%}
        {%- set live = "select batch_id from " ~ batches ~ " where is_live and events > 0" -%}
        {%- set known = counted_batches(this) -%}
        {%- set ids = run_query(live).columns[0].values() | reject('in', known) | list -%}
        {%- if not ids -%}
            where false
        {%- elif ids | length > var('new_batches_literal_limit') -%}
            where batch_id not in (select batch_id from {{ this }})
        {%- else -%}
            where batch_id in ('{{ ids | join("', '") }}')
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{% macro counted_batches(relation) %}
    {{ return(adapter.dispatch('counted_batches')(relation)) }}
{% endmacro %}


{% macro default__counted_batches(relation) %}
    {{ return(run_query("select distinct batch_id from " ~ relation).columns[0].values() | list) }}
{% endmacro %}


{#- The catalog knows the partitions without reading a file. -#}
{% macro spark__counted_batches(relation) %}
    {%- set partitions = run_query("show partitions " ~ relation).columns[0].values() -%}
    {{ return(partitions | map('replace', 'batch_id=', '') | list) }}
{% endmacro %}
