{#- A hash of what pre-aggregates are made from: the code of all models that are no marts, the
    seeds, our macros, and the vars that they name. Comments count: nobody has to judge an edit. -#}
{% macro project_state() %}
    {%- set parts = [] -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed') -%}
        {%- if node.config.materialized != 'table' -%}
            {%- do parts.append(node.name ~ ' ' ~ node.checksum.checksum ~ ' ' ~ node.raw_code) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for macro in context[project_name].values() -%}
        {%- do parts.append(macro.macro.macro_sql) -%}
    {%- endfor -%}
    {%- set code = parts | sort | join('\n') -%}
    {%- for name in modules.re.findall("var\\('(\\w+)'\\)", code) | unique | sort -%}
        {%- do parts.append(name ~ '=' ~ var(name)) -%}
    {%- endfor -%}
    {{ return(local_md5(parts | sort | join('\n'))) }}
{% endmacro %}


{#- The relation that holds, in one row, the state that the pre-aggregates were built by. -#}
{% macro built_by_relation() %}
    {{ return(api.Relation.create(
        database=target.database or none,
        schema=generate_schema_name('intermediate', none),
        identifier='built_by',
        type='view',
    )) }}
{% endmacro %}


{#- None before the first build. -#}
{% macro built_by() %}
    {%- set relation = built_by_relation() -%}
    {%- if load_relation(relation) is not none -%}
        {{ return(run_query("select state from " ~ relation).columns[0].values()[0]) }}
    {%- endif -%}
    {{ return(none) }}
{% endmacro %}


{% macro warn_of_another_project() %}
    {%- if execute and flags.WHICH in ('run', 'build') and not flags.FULL_REFRESH -%}
        {%- set before = built_by() -%}
        {%- if before is not none and before != project_state() -%}
            {%- do exceptions.warn(
                "the pre-aggregates were built by another state of this project (models, macros, "
                ~ "seeds or vars), so old batches keep what it counted: add --full-refresh, or use "
                ~ "`clickstream run`, which does"
            ) -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- Only a full refresh of all pre-aggregates makes another state their only one. -#}
{% macro remember_project(results) %}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set all = graph.nodes.values()
            | selectattr('config.materialized', 'eq', 'incremental') | list -%}
        {%- set ran = results | selectattr('node.resource_type', 'eq', 'model')
            | selectattr('node.config.materialized', 'eq', 'incremental') | list -%}
        {%- set built = ran | selectattr('status', 'eq', 'success') | list -%}
        {%- set before, state = built_by(), project_state() -%}
        {%- if built and before != state -%}
            {%- set whole = before is none
                or (flags.FULL_REFRESH and built | length == all | length) -%}
            {%- do write_built_by(state if whole else 'mixed') -%}
        {%- endif -%}
    {%- endif -%}
{% endmacro %}


{#- A view is replaced in one step. -#}
{% macro write_built_by(state) %}
    {%- do run_query(
        "create or replace view " ~ built_by_relation() ~ " as select cast('" ~ state
        ~ "' as varchar(32)) as state"
    ) -%}
{% endmacro %}
