with brands as (

    {{ live_rows(ref('int_brands_counted')) }}

)

select
    brand,
    cast(sum(event_count) as bigint) as total_events,
    cast(sum(view_count) as bigint) as views,
    cast(sum(purchase_count) as bigint) as purchases,
    cast(sum(case when is_bot then 0 else event_count end) as bigint) as human_events,
    cast(sum(case when is_bot then 0 else view_count end) as bigint) as human_views,
    cast(sum(case when is_bot then 0 else purchase_count end) as bigint) as human_purchases
from brands
where brand is not null
group by brand
