-- Otherwise the join on product_id would count an event more than once.
select product_id
from {{ ref('products') }}
group by product_id
having count(distinct brand) > 1
