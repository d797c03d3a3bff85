with pages as (

    select * from {{ ref('int_session_pages_counted') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_pages as (

    select pages.*
    from pages
    inner join live_batches on pages.batch_id = live_batches.batch_id
    where pages.session_id is not null

)

select
    session_id as sessionid,
    url,
    action,
    cast(sum(view_count) as bigint) as number_of_views,
    cast(sum(event_count) as bigint) as total_events,
    cast(sum(case when is_bot then 0 else view_count end) as bigint) as human_views,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
from live_pages
group by
    session_id,
    url,
    action
