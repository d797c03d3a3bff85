-- What a mart counts, and what its null group leaves out, are all events of live batches.
with batches as (

    select * from {{ ref('stg_landing__batches') }} where is_live

),

counted as (

    select
        'number_of_views_per_session' as mart,
        total_events
    from {{ ref('number_of_views_per_session') }}

    union all

    select
        'number_of_views_per_session' as mart,
        groups.event_count as total_events
    from {{ ref('int_session_pages_counted') }} as groups
    inner join batches on groups.batch_id = batches.batch_id
    where groups.session_id is null

    union all

    select
        'number_of_sessions_per_ip' as mart,
        total_events
    from {{ ref('number_of_sessions_per_ip') }}

    union all

    select
        'number_of_sessions_per_ip' as mart,
        groups.event_count as total_events
    from {{ ref('int_client_sessions_counted') }} as groups
    inner join batches on groups.batch_id = batches.batch_id
    where groups.client_ip is null

    union all

    select
        'number_of_events_per_http_response' as mart,
        total_events
    from {{ ref('number_of_events_per_http_response') }}

    union all

    select
        'number_of_events_per_http_response' as mart,
        groups.event_count as total_events
    from {{ ref('int_responses_counted') }} as groups
    inner join batches on groups.batch_id = batches.batch_id
    where groups.status_code is null

    union all

    select
        'number_of_events_per_brand' as mart,
        total_events
    from {{ ref('number_of_events_per_brand') }}

    union all

    select
        'number_of_events_per_brand' as mart,
        groups.event_count as total_events
    from {{ ref('int_brands_counted') }} as groups
    inner join batches on groups.batch_id = batches.batch_id
    where groups.brand is null

    union all

    select
        'fct_traffic_hourly' as mart,
        total_events
    from {{ ref('fct_traffic_hourly') }}

    union all

    select
        'fct_traffic_hourly' as mart,
        groups.event_count as total_events
    from {{ ref('int_traffic_counted') }} as groups
    inner join batches on groups.batch_id = batches.batch_id
    where groups.event_hour is null

),

sums as (

    select
        mart,
        sum(total_events) as events
    from counted
    group by mart

),

landed as (

    select coalesce(sum(events), 0) as events from batches

)

select
    sums.mart,
    sums.events as counted,
    landed.events as landed
from sums
cross join landed
where sums.events <> landed.events
