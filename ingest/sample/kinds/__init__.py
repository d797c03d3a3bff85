"""How each format writes a request of the shop: one module per family of formats."""

from ingest.sample.kinds import aws, columns, json_logs, servers, trackers

KINDS = {
    kind.name: kind
    for family in (columns, servers, aws, json_logs, trackers)
    for kind in family.KINDS
}
