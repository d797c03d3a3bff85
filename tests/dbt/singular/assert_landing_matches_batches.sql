-- The books of each live batch balance: landing holds what the batch record says.
with batches as (

    select * from {{ ref('stg_landing__batches') }} where is_live

),

events as (

    select
        batch_id,
        count(*) as row_count
    from {{ ref('stg_landing__events') }}
    group by batch_id

),

rejects as (

    select
        batch_id,
        count(*) as row_count
    from {{ ref('stg_landing__rejects') }}
    group by batch_id

),

files as (

    select
        batch_id,
        count(*) as row_count,
        sum(lines_read) as lines_read,
        sum(events) as events
    from {{ ref('stg_landing__files') }}
    group by batch_id

)

select
    batches.batch_id,
    batches.events,
    events.row_count as event_rows,
    batches.rejects,
    rejects.row_count as reject_rows,
    batches.lines_read,
    files.lines_read as file_lines
from batches
left join events on batches.batch_id = events.batch_id
left join rejects on batches.batch_id = rejects.batch_id
left join files on batches.batch_id = files.batch_id
where
    batches.lines_read
    <> batches.lines_ok + batches.lines_warn + batches.lines_skip + batches.lines_reject
    or batches.events <> coalesce(events.row_count, 0)
    or batches.rejects <> coalesce(rejects.row_count, 0)
    or batches.objects <> coalesce(files.row_count, 0)
    or batches.lines_read <> coalesce(files.lines_read, 0)
    or batches.events <> coalesce(files.events, 0)
