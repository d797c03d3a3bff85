-- Every event of a live batch is counted in each pre-aggregate, once.
with batches as (

    select * from {{ ref('stg_landing__batches') }} where is_live

),

counted as (

    select
        'int_session_pages_counted' as model,
        batch_id,
        event_count
    from {{ ref('int_session_pages_counted') }}

    union all

    select
        'int_client_sessions_counted' as model,
        batch_id,
        event_count
    from {{ ref('int_client_sessions_counted') }}

    union all

    select
        'int_responses_counted' as model,
        batch_id,
        event_count
    from {{ ref('int_responses_counted') }}

    union all

    select
        'int_brands_counted' as model,
        batch_id,
        event_count
    from {{ ref('int_brands_counted') }}

    union all

    select
        'int_traffic_counted' as model,
        batch_id,
        event_count
    from {{ ref('int_traffic_counted') }}

),

models as (

    select distinct model from counted

),

expected as (

    select
        models.model,
        batches.batch_id,
        batches.events
    from models
    cross join batches

),

sums as (

    select
        model,
        batch_id,
        sum(event_count) as events
    from counted
    group by
        model,
        batch_id

)

select
    expected.model,
    expected.batch_id,
    expected.events as landed,
    sums.events as counted
from expected
left join sums on expected.model = sums.model and expected.batch_id = sums.batch_id
where expected.events <> coalesce(sums.events, 0)
