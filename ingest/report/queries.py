"""What the report asks, in SQL that every engine reads.

`{marts}`, `{staging}`, `{intermediate}`, `{seeds}` and `{landing}` are the names of the schemas,
`{top}` is how many rows are shown, `{first}` and `{last}` are days. `{live}` and `{days}` are the
conditions below. `{views}`, `{clients}`,
`{brands}`, `{responses}` and `{traffic}` are marts or, for a period, the same columns over its
days. No log content ever gets into a query.
"""

from ingest.warehouse.marts import WITHOUT_CLIENT

MARTS = {
    "views": "{marts}.number_of_views_per_session",
    "clients": "{marts}.number_of_sessions_per_ip",
    "brands": "{marts}.number_of_events_per_brand",
    "responses": "{marts}.number_of_events_per_http_response",
    "traffic": "{marts}.fct_traffic_hourly",
}
LIVE = "batch_id in (select batch_id from {landing}.batches where state = 'live')"
DAYS = "event_date between date '{first}' and date '{last}'"
# The pre-aggregates are by day, the marts are not; a test compares both over all days.
MARTS_WITHIN = {
    "views": """(
        select session_id as sessionid, action, sum(view_count) as number_of_views
        from {intermediate}.int_session_pages_counted
        where session_id is not null and {live} and {days}
        group by session_id, action
    ) as views""",
    "clients": """(
        select client as clientip, count(distinct session_id) as total_sessions,
            sum(event_count) as total_events
        from {intermediate}.int_client_sessions_counted
        where client is not null and {live} and {days}
        group by client
    ) as clients""",
    "brands": """(
        select brand, sum(view_count) as views, sum(purchase_count) as purchases,
            sum(event_count) as total_events
        from {intermediate}.int_brands_counted
        where brand is not null and {live} and {days}
        group by brand
    ) as brands""",
    "responses": """(
        select counted.status_code, coalesce(statuses.label, 'Unknown') as response,
            counted.total_events
        from (
            select status_code, sum(event_count) as total_events
            from {intermediate}.int_responses_counted
            where status_code is not null and {live} and {days}
            group by status_code
        ) as counted
        left join {seeds}.http_statuses as statuses on counted.status_code = statuses.code
    ) as responses""",
    "traffic": """(
        select event_hour, sum(event_count) as total_events,
            sum(case when is_bot then 0 else event_count end) as human_events
        from {intermediate}.int_traffic_counted
        where event_hour is not null and {live} and {days}
        group by event_hour
    ) as traffic""",
}

TOP_SESSIONS = """
    with cells as (
        select sessionid, action, number_of_views from {views}
    ),

    most_viewed as (
        select sessionid, sum(number_of_views) as views
        from cells
        group by sessionid
        having sum(number_of_views) > 0
        order by views desc, sessionid
        limit {top}
    )

    select cells.sessionid, cells.action, sum(cells.number_of_views) as views
    from cells
    inner join most_viewed on cells.sessionid = most_viewed.sessionid
    group by cells.sessionid, cells.action
"""
SESSIONS = "select count(distinct sessionid) from {views}"
TOP_CLIENTS = """
    select clientip, total_sessions, total_events
    from {clients}
    order by total_sessions desc, total_events desc, clientip
    limit {top}
"""
CLIENTS = "select count(*) from {clients}"
TOP_BRANDS = """
    select brand, views, purchases, total_events
    from {brands}
    order by total_events desc, brand
    limit {top}
"""
PURCHASES = "select sum(purchases) from {brands}"
RESPONSES = """
    select status_code, response, total_events
    from {responses}
    order by total_events desc, status_code
"""
# Times that the parser finds implausible by default would stretch the axis to a century, so they
# are not drawn.
PLAUSIBLE = """
    select event_hour, human_events, total_events - human_events as bot_events
    from {traffic}
    where event_hour >= timestamp '{oldest}'
        and cast(event_hour as date) between date '{first}' and date '{last}'
        and event_hour < (
            select dateadd(hour, {future_hours}, max(ingest_time)) from {landing}.batches
        )
"""
SPAN = """
    select datediff(hour, min(event_hour), max(event_hour)) from ({plausible}) as plausible
"""
TRAFFIC = """
    select date_trunc('{unit}', event_hour), sum(human_events), sum(bot_events)
    from ({plausible}) as plausible
    group by 1
    order by 1
"""
BATCHES = """
    select batch_number, source, state, ingest_time, objects, lines_read,
        lines_ok, lines_warn, lines_skip, lines_reject, events
    from {landing}.batches
    order by batch_number
"""
LANDED = "select count(*) from {landing}.events where {live}"
EVENTS = LANDED + " and {days}"
NOBODYS = WITHOUT_CLIENT + " and {days}"
FILE_STATUSES = """
    select file_status, count(distinct source_file) from {marts}.fct_ingest_quality
    group by file_status order by 2 desc, 1
"""
# What a later batch could read is no longer refused.
REFUSED = """
    with files as (
        select files.*, batches.batch_number
        from {staging}.stg_landing__files as files
        inner join {landing}.batches as batches on files.batch_id = batches.batch_id
    ),

    newest as (
        select source_file, max(batch_number) as batch_number
        from files
        group by source_file
    )

    select files.source_file, files.file_status, files.file_reason
    from files
    inner join newest
        on files.source_file = newest.source_file and files.batch_number = newest.batch_number
    where files.file_status in ('rejected', 'corrupt_gzip', 'failed')
    order by files.batch_number, files.source_file
"""
REASONS = """
    select reason, count(*) from {staging}.stg_landing__rejects
    group by reason order by 2 desc, 1
"""
# Each mart leaves out events without its key; this layer does not.
COUNTED = "select sum(event_count) from {intermediate}.int_responses_counted where {live}"
