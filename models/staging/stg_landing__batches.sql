with batches as (

    select * from {{ source('landing', 'batches') }}

)

select
    batch_id,
    batch_number,
    source,
    state,
    replaced_by,
    contract_version,
    manifest_hash,
    ingest_time,
    sealed_at,
    loaded_at,
    objects,
    bytes,
    lines_read,
    lines_ok,
    lines_warn,
    lines_skip,
    lines_reject,
    events,
    rejects,
    min_event_time,
    max_event_time,
    state = 'live' as is_live
from batches
