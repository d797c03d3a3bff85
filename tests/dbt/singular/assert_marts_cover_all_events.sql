-- What a mart counts, and what its null group leaves out, are all events of live batches.
{%- set marts = [
    ('number_of_views_per_session', 'int_session_pages_counted', 'session_id'),
    ('number_of_sessions_per_ip', 'int_client_sessions_counted', 'client_ip'),
    ('number_of_events_per_http_response', 'int_responses_counted', 'status_code'),
    ('number_of_events_per_brand', 'int_brands_counted', 'brand'),
    ('fct_traffic_hourly', 'int_traffic_counted', 'event_hour'),
] %}

with batches as (

    select * from {{ ref('stg_landing__batches') }} where is_live

),

counted as (

    {%- for mart, pre_aggregate, key in marts %}

        select
            '{{ mart }}' as mart,
            total_events
        from {{ ref(mart) }}

        union all

        select
            '{{ mart }}' as mart,
            groups.event_count as total_events
        from {{ ref(pre_aggregate) }} as groups
        inner join batches on groups.batch_id = batches.batch_id
        where groups.{{ key }} is null
        {%- if not loop.last %}

            union all
        {%- endif %}
    {%- endfor %}

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
