with traffic as (

    select * from {{ ref('int_traffic_counted') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_traffic as (

    select traffic.*
    from traffic
    inner join live_batches on traffic.batch_id = live_batches.batch_id
    where traffic.event_hour is not null

)

select
    event_hour,
    cast(sum(event_count) as bigint) as total_events,
    cast(sum(view_count) as bigint) as views,
    cast(sum(purchase_count) as bigint) as purchases,
    cast(sum(error_count) as bigint) as errors,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events,
    cast(sum(case when is_bot then 0 else view_count end) as bigint) as human_views,
    cast(sum(case when is_bot then 0 else purchase_count end) as bigint) as human_purchases
from live_traffic
group by event_hour
