with responses as (

    {{ live_rows(ref('int_responses_counted')) }}

),

statuses as (

    select * from {{ ref('http_statuses') }}

),

counted as (

    select
        status_code,
        cast(sum(event_count) as bigint) as total_events,
        cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
    from responses
    where status_code is not null
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
