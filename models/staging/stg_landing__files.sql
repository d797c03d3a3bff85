with files as (

    {{ live_rows(source('landing', 'files')) }}

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
    counts,
    object_key,
    start_offset,
    end_offset
from files
