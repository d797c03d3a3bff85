with rejects as (

    select * from {{ source('landing', 'rejects') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_rejects as (

    select rejects.*
    from rejects
    inner join live_batches on rejects.batch_id = live_batches.batch_id

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
from live_rejects
