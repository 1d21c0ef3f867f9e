# A starved container loses a lookup: noise. Then its resolver goes down in the middle of it: no noise at
# all. The first is suppressed only if nothing like the second stands near it.
telling
0..200 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %
0..119 dns 10.0.0.2 for registry-a: 10 lookups, 0 lost
120..160 dns 10.0.0.2 for registry-a: 2 lookups, 2 lost
20..160 registry-a: 1 cancelled by registry-ui after 4.4..6.2 s
30 registry-a: 1 dns timeout at 10.0.0.2
125 registry-a: 1 dns timeout at 10.0.0.2
132 registry-a: 2 dns timeouts at 10.0.0.2
advance 330
-> 25 opened cpu_saturation on registry-a: 5 requests failed on registry-a since 09:00:20; cause: cpu_saturation (0.81)
=> post, reply opened
-> 90 suppressed 1 dns_timeout of registry-a at 30: registry-a was starved of CPU at 09:00:30 and its other lookups were answered
-> 120 escalated cpu_saturation on registry-a: 100 requests failed so far
=> update, reply escalated
-> 144 opened dns_outage on registry-a: its own measurements show it on registry-a since 09:01:59; cause: dns_outage (0.81)
=> post, reply opened
-> 144 released 1 dns_timeout of registry-a at 125: part of the DNS outage: 10.0.0.2 failed 83 % of 60 lookups of registry-a from 09:01:59
-> 144 released 2 dns_timeout of registry-a at 132: part of the DNS outage: 10.0.0.2 failed 83 % of 60 lookups of registry-a from 09:01:59
-> 180 recovering cpu_saturation on registry-a: no sign of it since 09:02:40
=> update, reply recovering
-> 180 recovering dns_outage on registry-a: no sign of it since 09:02:40
=> update, reply recovering
-> 220 resolved cpu_saturation on registry-a: quiet for 60.0 s; it lasted 2 min 20 s
=> update, reply resolved
-> 220 resolved dns_outage on registry-a: quiet for 60.0 s; it lasted 41.0 s
=> update, reply resolved
