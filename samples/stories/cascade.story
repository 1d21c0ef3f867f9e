# A container at its CPU limit: requests queue, clients give up, a lookup is lost now and then.
# All of it arrives in disorder, up to nine seconds late, and then a second time. People are told once.
telling
shuffled
0..90 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %
0..90 storage: 40 requests, p95 8 ms, median 3 ms
0..90 dns 10.0.0.2 for registry-a: 10 lookups, 0 lost
20..80 registry-a: 2 cancelled by registry-ui after 4.4..6.2 s
20..80 registry-a: 3 went well
40 registry-a: 1 dns timeout at 10.0.0.2
91..150 registry-a: cpu 0.05 of 0.12 cores, throttled 0 %
advance 60
-> 22 opened cpu_saturation on registry-a: 4 requests failed on registry-a since 09:00:20; cause: cpu_saturation (0.81)
=> post, reply opened
again
advance 220
-> 70 escalated cpu_saturation on registry-a: 100 requests failed so far
=> update, reply escalated
-> 100 suppressed 1 dns_timeout of registry-a at 40: registry-a was starved of CPU at 09:00:40 and its other lookups were answered
-> 101 recovering cpu_saturation on registry-a: no sign of it since 09:01:20
=> update, reply recovering
-> 141 resolved cpu_saturation on registry-a: quiet for 61.0 s; it lasted 60.0 s
=> update, reply resolved
