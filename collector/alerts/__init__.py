"""`auditgraf alerts`: rules files checked, rules listed, rules tried on events that are there, contact points tested.

`known` finds rules and where they stand, `check` what is wrong with them, `evaluation` asks the database as Grafana
would, `history` and `trial` do so over time, `grafana_api` and `notification` send a test.
"""
