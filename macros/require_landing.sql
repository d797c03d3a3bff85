{#- Says in one line what each model and test would fail on; seeds need no landing tables. -#}
{% macro require_landing() %}
    {%- if execute and flags.WHICH in ('run', 'build', 'test') -%}
        {%- set needed = [] -%}
        {%- for name in selected_resources if not name.startswith('seed.') -%}
            {%- do needed.append(name) -%}
        {%- endfor -%}
        {%- set landed = graph.sources.values() | selectattr('name', 'eq', 'batches') | first -%}
        {%- set relation = api.Relation.create(
            database=landed.database or none, schema=landed.schema, identifier='batches'
        ) -%}
        {%- if needed and load_relation(relation) is none -%}
            {%- do exceptions.raise_compiler_error(
                "there is nothing to build from yet: run `clickstream ingest` and `clickstream "
                ~ "load` first, or `clickstream run`, which does all"
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}
