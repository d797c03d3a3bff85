with events as (

    select * from {{ ref('stg_landing__events') }}
    {{ new_batches() }}

),

-- The catalogue has one row per product and item; a test proves that a product has one brand.
brands as (

    select distinct
        product_id,
        brand
    from {{ ref('products') }}

),

branded as (

    select
        events.event_date,
        coalesce(events.brand, brands.brand) as brand,
        events.view_count,
        events.purchase_count,
        events.is_bot,
        events.batch_id
    from events
    left join brands on lower(events.product_id) = brands.product_id

)

select
    event_date,
    brand,
    is_bot,
    count(*) as event_count,
    cast(coalesce(sum(view_count), 0) as bigint) as view_count,
    cast(coalesce(sum(purchase_count), 0) as bigint) as purchase_count,
    batch_id
from branded
group by
    event_date,
    brand,
    is_bot,
    batch_id
