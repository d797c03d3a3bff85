with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

)

select
    client_ip,
    session_id,
    is_bot,
    count(*) as event_count,
    batch_id
from events
group by
    client_ip,
    session_id,
    is_bot,
    batch_id
