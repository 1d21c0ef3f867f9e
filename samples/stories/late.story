# What comes after its second was settled is neither lost nor told as if it had just happened.
telling
0..60 registry-a: cpu 0.12 of 0.12 cores, throttled 100 %
0..60 storage: 40 requests, p95 8 ms, median 3 ms
20..30 registry-a: 2 cancelled by registry-ui after 4.6..5.9 s
advance 50
-> 23 opened cpu_saturation on registry-a: 6 requests failed on registry-a since 09:00:20; cause: cpu_saturation (0.81)
=> post, reply opened
# A shipper that was cut off for half a minute delivers what it had kept.
24 registry-a: 4 cancelled by registry-ui after 4.6..5.9 s
advance 51
-> 40 late cpu_saturation on registry-a: 4 request_cancelled arrived 16 s after their second was settled
=> update
# Nothing was going on here, so there is no incident to count it in: it is counted by itself.
10 registry-b: 2 cancelled by registry-ui after 5.0 s
advance 150
-> 41 counted 2 request_cancelled of registry-b at 10: 2 request_cancelled arrived 31 s after their second was settled
-> 51 recovering cpu_saturation on registry-a: no sign of it since 09:00:30
=> update, reply recovering and 1 late
-> 91 resolved cpu_saturation on registry-a: quiet for 61.0 s; it lasted 10.0 s
=> update, reply resolved
