with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

),

steps as (

    select
        event_date,
        session_id,
        coalesce(url_path, nullif(split_part(referrer, '?', 1), '')) as url,
        lower(event_name) as action,
        session_id is not null and event_name is not null and view_count is not null as is_counted,
        view_count,
        purchase_count,
        is_bot,
        batch_id
    from events

),

-- Events that are not shop events of a session are kept in one null group per day, so that the
-- books balance.
grouped as (

    select
        event_date,
        case when is_counted then session_id end as session_id,
        case when is_counted then url end as url,
        case when is_counted then action end as action,
        view_count,
        purchase_count,
        is_bot,
        batch_id
    from steps

)

select
    event_date,
    session_id,
    url,
    action,
    is_bot,
    count(*) as event_count,
    cast(coalesce(sum(view_count), 0) as bigint) as view_count,
    cast(coalesce(sum(purchase_count), 0) as bigint) as purchase_count,
    batch_id
from grouped
group by
    event_date,
    session_id,
    url,
    action,
    is_bot,
    batch_id
