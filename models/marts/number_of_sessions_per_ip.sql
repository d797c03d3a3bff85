with sessions as (

    {{ live_rows(ref('int_client_sessions_counted')) }}

)

select
    client as clientip,
    count(distinct session_id) as total_sessions,
    cast(sum(event_count) as bigint) as total_events,
    count(distinct case when not is_bot then session_id end) as human_sessions,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
from sessions
where client is not null
group by client
