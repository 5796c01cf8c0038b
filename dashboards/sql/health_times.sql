-- How long things take, in seconds. Parameter: instance. Columns: time (epoch), Lag, Longest commit.
SELECT $__timeGroup(sampled_at, $__interval) AS time,
       max(lag_seconds) AS "Lag", max(commit_seconds) AS "Longest commit"
FROM {{samples}}
GROUP BY 1
ORDER BY 1
