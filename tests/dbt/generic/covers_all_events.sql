{#- The events in a mart, and those without its key in the pre-aggregate, are all events of live
    batches. An empty mart adds nothing, so the sum shows what it lacks. -#}
{% test covers_all_events(model, counted_in, key) %}
    with live_groups as (

        {{ live_rows(counted_in) }}

    ),

    differences as (

        select total_events as events from {{ model }}

        union all

        select event_count as events
        from live_groups
        where {{ key }} is null

        union all

        select -events as events
        from {{ ref('stg_landing__batches') }}
        where is_live

    )

    select sum(events) as too_many
    from differences
    having sum(events) <> 0
{% endtest %}
