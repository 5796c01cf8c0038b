"""Alert rules: from the rules file that people write to what Grafana's alerting provisioning reads.

`file` has the rules file's models, `rule` one rule, `statements` a rule's SQL, `rendering` Grafana's files. Uses the
mapping's conditions (exporter.mapping, exporter.store.conditions) and the dashboards' words for actions.
"""
