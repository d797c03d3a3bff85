with responses as (

    select * from {{ ref('int_responses_counted') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

statuses as (

    select * from {{ ref('http_statuses') }}

),

live_responses as (

    select responses.*
    from responses
    inner join live_batches on responses.batch_id = live_batches.batch_id
    where responses.status_code is not null

),

counted as (

    select
        status_code,
        cast(sum(event_count) as bigint) as total_events,
        cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
    from live_responses
    group by status_code

)

select
    counted.status_code,
    coalesce(statuses.label, 'Unknown') as response,
    counted.total_events,
    counted.human_events,
    coalesce(statuses.class, 'unknown') as response_class
from counted
left join statuses on counted.status_code = statuses.code
