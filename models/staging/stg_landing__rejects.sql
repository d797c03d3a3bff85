with rejects as (

    {{ live_rows(source('landing', 'rejects')) }}

)

select
    reject_id,
    batch_id,
    ingest_time,
    source_format,
    source_file,
    source_offset,
    source_line,
    reason,
    detail,
    raw_length,
    raw_base64,
    raw_text
from rejects
