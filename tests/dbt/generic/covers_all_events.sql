{#- The events in a mart and those that its pre-aggregate holds without the mart's key are all
    events of live batches. Each part is one row, so an empty table counts 0. -#}
{% test covers_all_events(model, counted_in, key) %}
    with landed as (

        select coalesce(sum(events), 0) as events
        from {{ ref('stg_landing__batches') }}
        where is_live

    ),

    counted as (

        select coalesce(sum(total_events), 0) as events
        from {{ model }}

    ),

    live_groups as (

        {{ live_rows(counted_in) }}

    ),

    left_out as (

        select coalesce(sum(event_count), 0) as events
        from live_groups
        where {{ key }} is null

    )

    select
        landed.events as landed,
        counted.events as counted,
        left_out.events as left_out
    from landed
    cross join counted
    cross join left_out
    where landed.events <> counted.events + left_out.events
{% endtest %}
