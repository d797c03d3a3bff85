{#- Marts ignore batches that are not live anyway; this only frees space. -#}
{% macro drop_replaced_batches() %}
    {%- set live_sql = "select batch_id from " ~ ref('stg_landing__batches') ~ " where is_live" -%}
    {%- set live = run_query(live_sql).columns[0].values() -%}
    {%- for node in graph.nodes.values() if node.config.get('partition_by') == 'batch_id' -%}
        {%- set relation = load_relation(ref(node.name)) -%}
        {%- if relation is not none -%}
            {%- set ids = counted_batches(relation) | reject('in', live) | list -%}
            {%- if ids -%}
                {%- do forget_batches(relation, ids) -%}
                {%- do log(node.name ~ ": replaced batches dropped: " ~ ids | length, info=true) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}


{% macro forget_batches(relation, ids) %}
    {{ return(adapter.dispatch('forget_batches')(relation, ids)) }}
{% endmacro %}


{% macro default__forget_batches(relation, ids) %}
    {%- set listed = "('" ~ ids | join("', '") ~ "')" -%}
    {%- do run_query("delete from " ~ relation ~ " where batch_id in " ~ listed) -%}
{% endmacro %}


{% macro spark__forget_batches(relation, ids) %}
    {%- set clauses = [] -%}
    {%- for id in ids -%}
        {%- do clauses.append("partition (batch_id = '" ~ id ~ "')") -%}
    {%- endfor -%}
    {%- do run_query("alter table " ~ relation ~ " drop if exists " ~ clauses | join(', ')) -%}
{% endmacro %}
