{#- A pre-aggregate counts each event of a live batch once. A batch that it lacks counts as 0. -#}
{% test counts_every_event(model) %}
    with counted as (

        select
            batch_id,
            sum(event_count) as events
        from {{ model }}
        group by batch_id

    )

    select
        batches.batch_id,
        batches.events as landed,
        counted.events as counted
    from {{ ref('stg_landing__batches') }} as batches
    left join counted on batches.batch_id = counted.batch_id
    where batches.is_live and batches.events <> coalesce(counted.events, 0)
{% endtest %}
