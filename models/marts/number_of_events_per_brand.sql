with brands as (

    select * from {{ ref('int_brands_counted') }}

),

live_batches as (

    select batch_id from {{ ref('stg_landing__batches') }} where is_live

),

live_brands as (

    select brands.*
    from brands
    inner join live_batches on brands.batch_id = live_batches.batch_id
    where brands.brand is not null

)

select
    brand,
    cast(sum(event_count) as bigint) as total_events,
    cast(sum(view_count) as bigint) as views,
    cast(sum(purchase_count) as bigint) as purchases,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events,
    cast(sum(case when is_bot then 0 else view_count end) as bigint) as human_views,
    cast(sum(case when is_bot then 0 else purchase_count end) as bigint) as human_purchases
from live_brands
group by brand
