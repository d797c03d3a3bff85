{#- One row per combination of `unique_key`, where nulls equal each other as in a group by; no row
    with a null in `never_null` or a value below zero in `never_negative`. One scan for all: on small
    data, Spark spends more on a statement than on the rows it reads. -#}
{% test sound_rows(model, unique_key, never_null=[], never_negative=[]) %}
    with counted as (

        select
            {{ unique_key | join(', ') }},
            count(*) as row_count,
            sum(
                case
                    when false {% for name in never_null %}or {{ name }} is null {% endfor %}then 1
                    else 0
                end
            ) as null_count,
            sum(
                case
                    when false {% for name in never_negative %}or {{ name }} < 0 {% endfor %}then 1
                    else 0
                end
            ) as negative_count
        from {{ model }}
        group by {{ unique_key | join(', ') }}

    )

    select * from counted
    where row_count > 1 or null_count > 0 or negative_count > 0
{% endtest %}
