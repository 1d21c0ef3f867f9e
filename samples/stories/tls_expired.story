# The example of docs/rules.md: a signature and a cause of one's own (rules.yaml beside this file).
telling
0..90 registry-a: cpu 0.10 of 1.0 cores, throttled 0 %
0..90 storage: 40 requests, p95 8 ms, median 3 ms
0..90 registry-a: 5 went well
20..31 registry-a: 1 failed by crane after 0.02..0.04 s: s3aws: RequestError: send request failed caused by: Get "https://s3.example.com/": tls: failed to verify certificate: x509: certificate has expired or is not yet valid
# A single failure for another reason is none of it.
25 registry-a: 1 failed by docker after 0.50 s
advance 150
-> 25 opened tls_certificate_expired on registry-a: 5 requests failed on registry-a since 09:00:20; cause: tls_certificate_expired (0.76)
=> post, reply opened
-> 51 recovering tls_certificate_expired on registry-a: no sign of it since 09:00:31
=> update, reply recovering
-> 91 resolved tls_certificate_expired on registry-a: quiet for 60.0 s; it lasted 11.0 s
=> update, reply resolved
