with sessions as (

    select * from {{ ref('int_client_sessions_counted') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_sessions as (

    select sessions.*
    from sessions
    inner join live_batches on sessions.batch_id = live_batches.batch_id
    where sessions.client_ip is not null

)

select
    client_ip as clientip,
    count(distinct session_id) as total_sessions,
    cast(sum(event_count) as bigint) as total_events,
    count(distinct case when not is_bot then session_id end) as human_sessions,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events
from live_sessions
group by client_ip
