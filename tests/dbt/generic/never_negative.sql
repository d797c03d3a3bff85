{#- No row with a value below zero in these columns: one scan for all of them. -#}
{% test never_negative(model, columns) %}
    select *
    from {{ model }}
    where {{ columns | join(' < 0 or ') }} < 0
{% endtest %}
