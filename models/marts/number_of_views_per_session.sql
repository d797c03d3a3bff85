with pages as (

    {{ live_rows(ref('int_session_pages_counted')) }}

)

select
    session_id as sessionid,
    url,
    action,
    cast(sum(view_count) as bigint) as number_of_views,
    cast(sum(event_count) as bigint) as total_events,
    cast(sum(case when is_bot then 0 else view_count end) as bigint) as human_views,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
from pages
where session_id is not null
group by
    session_id,
    url,
    action
