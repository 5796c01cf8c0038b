"""Grafana's provisioning files: data source, dashboard provider and dashboards as a folder to mount.

`provisioning.write.render(out, options)` lays the folder out. Uses `dashboards` for the dashboards themselves.
"""
