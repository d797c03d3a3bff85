"""The Kibana dashboards as code: one small spec, rendered for each generation of Kibana.

`spec` says what a panel can be, `panels` is the table of them all. `dashboards_api` and
`saved_objects` (with `lens`) render it in the two forms, `api_models` and `saved_models` are what
each form may contain, `checks` holds panels, template and forms against one another, `assets` is
what others call. `install` puts them into a Kibana, through `client`.
"""
