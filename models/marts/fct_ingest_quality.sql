with files as (

    select * from {{ ref('stg_landing__files') }}

),

batches as (

    select * from {{ ref('stg_landing__batches') }}

)

select
    files.batch_id,
    batches.source,
    files.source_file,
    cast(batches.ingest_time as date) as ingest_date,
    files.source_format,
    files.file_status,
    files.lines_read,
    files.lines_ok,
    files.lines_warn,
    files.lines_skip,
    files.lines_reject,
    files.events
from files
inner join batches on files.batch_id = batches.batch_id
