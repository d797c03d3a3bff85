with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

),

hours as (

    select
        event_date,
        date_trunc('hour', event_time) as event_hour,
        view_count,
        purchase_count,
        case when status_code >= 400 then 1 else 0 end as error_count,
        is_bot,
        batch_id
    from events

)

select
    event_date,
    event_hour,
    is_bot,
    count(*) as event_count,
    cast(coalesce(sum(view_count), 0) as bigint) as view_count,
    cast(coalesce(sum(purchase_count), 0) as bigint) as purchase_count,
    cast(sum(error_count) as bigint) as error_count,
    batch_id
from hours
group by
    event_date,
    event_hour,
    is_bot,
    batch_id
