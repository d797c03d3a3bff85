with files as (

    select * from {{ ref('stg_landing__files') }}

),

batches as (

    select * from {{ ref('stg_landing__batches') }}

),

placed as (

    select
        files.*,
        batches.source,
        batches.ingest_time,
        first_value(files.object_key) over (
            partition by batches.source, files.source_file
            order by batches.batch_number desc
            rows between unbounded preceding and unbounded following
        ) as last_key
    from files
    inner join batches on files.batch_id = batches.batch_id

)

select
    batch_id,
    source,
    source_file,
    last_key as object_key,
    cast(ingest_time as date) as ingest_date,
    source_format,
    file_status,
    lines_read,
    lines_ok,
    lines_warn,
    lines_skip,
    lines_reject,
    events
from placed
-- A log that only moved brings a place and no verdict.
where file_status <> 'ok' or end_offset > start_offset
