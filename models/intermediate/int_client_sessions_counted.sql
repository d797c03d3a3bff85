with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

),

named as (

    select
        event_date,
        coalesce(client_ip, client_address) as client,
        session_id,
        is_bot,
        batch_id
    from events

)

select
    event_date,
    client,
    session_id,
    is_bot,
    count(*) as event_count,
    batch_id
from named
group by
    event_date,
    client,
    session_id,
    is_bot,
    batch_id
