with events as (

    {{ live_rows(source('landing', 'events')) }}

),

bot_patterns as (

    select pattern from {{ ref('bot_patterns') }}

),

-- Few user agents send many events: patterns are matched once per agent, not once per event.
-- batch_id is part of the key so that a filter on it prunes partitions here too.
agents as (

    select distinct
        batch_id,
        user_agent
    from events
    where user_agent is not null

),

bots as (

    select distinct
        agents.batch_id,
        agents.user_agent
    from agents
    inner join bot_patterns on position(bot_patterns.pattern in lower(agents.user_agent)) > 0

),

-- The hint keeps Spark from sorting all events for this join; elsewhere it is a comment.
flagged as (

    select /*+ broadcast(bots) */
        events.*,
        cast(events.ingest_time as date) as ingest_date,
        bots.user_agent is not null as is_bot
    from events
    left join bots
        on
            events.batch_id = bots.batch_id
            and events.user_agent = bots.user_agent

),

named as (

    {{ with_client_names('flagged') }}

)

select
    event_id,
    batch_id,
    event_time,
    event_date,
    ingest_time,
    source_format,
    source_file,
    source_offset,
    source_line,
    parse_status,
    parse_warnings,
    event_type,
    {{ without_client('event_name') }},
    {{ without_client('native_id') }},
    {{ without_client('client_ip') }},
    {{ without_client('client_address') }},
    {{ without_client('forwarded_for') }},
    {{ without_client('user_name') }},
    {{ without_client('user_id') }},
    {{ without_client('visitor_id') }},
    {{ without_client('session_id') }},
    http_method,
    http_version,
    {{ without_client('url_original') }},
    url_scheme,
    {{ without_client('url_domain') }},
    {{ without_client('url_path') }},
    {{ without_client('url_query') }},
    status_code,
    request_bytes,
    response_bytes,
    bytes_scope,
    duration_ms,
    duration_other,
    {{ without_client('referrer') }},
    {{ without_client('referrer_domain') }},
    {{ without_client('user_agent') }},
    {{ without_client('server_name') }},
    {{ without_client('item_id') }},
    {{ without_client('item_name') }},
    {{ without_client('product_id') }},
    {{ without_client('brand') }},
    {{ without_client('category') }},
    purchase_count,
    view_count,
    {{ without_client('campaign_source') }},
    {{ without_client('campaign_medium') }},
    {{ without_client('campaign_name') }},
    is_bot,
    event_time is not null
    and datediff(day, event_date, ingest_date) > {{ var('late_after_days') }} as is_late,
    event_type not in ('tcp', 'storage_op', 'firewall') as is_hit
from named
