with files as (

    select * from {{ source('landing', 'files') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_files as (

    select files.*
    from files
    inner join live_batches on files.batch_id = live_batches.batch_id

)

select
    batch_id,
    source_file,
    size_bytes,
    etag,
    source_format,
    file_status,
    file_reason,
    lines_read,
    lines_ok,
    lines_warn,
    lines_skip,
    lines_reject,
    events,
    min_event_time,
    max_event_time,
    counts
from live_files
