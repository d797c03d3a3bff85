with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

)

select
    event_date,
    status_code,
    is_bot,
    count(*) as event_count,
    batch_id
from events
group by
    event_date,
    status_code,
    is_bot,
    batch_id
