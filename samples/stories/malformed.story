# What cannot be read becomes a dead letter with its reason, and hides nothing of the rest.
0..60 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %
0..60 storage: 40 requests, p95 8 ms, median 3 ms
20..30 registry-a: 2 cancelled by registry-ui after 4.6..5.9 s
21 record: {"log": "cut off
22 record: {"log": "{\"time\":\"2226-11-23T09:00:22Z\",\"level\":\"error\",\"msg\":\"RequestCanceled\"}", "stream": "stderr", "time": "2026-11-23T09:00:22Z"}
23 record: ["response completed with error"]
24 record: {"undercurrent_metric": 1, "source": "cgroup", "reading": 5, "time": 1795424424}
25 record: a line of no interest
advance 150
-> 21 dead letter undecodable
-> 22 dead letter time_out_of_range
-> 23 dead letter undecodable
-> 24 dead letter malformed
-> 23 opened cpu_saturation on registry-a: 6 requests failed on registry-a since 09:00:20; cause: cpu_saturation (0.81)
-> 51 recovering cpu_saturation on registry-a: no sign of it since 09:00:30
-> 91 resolved cpu_saturation on registry-a: quiet for 61.0 s; it lasted 10.0 s
