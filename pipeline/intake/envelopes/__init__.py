"""One file per shipper. The table below is the dispatch: the first decoder that matches reads the record."""

from pipeline.intake.envelopes.alertmanager import ALERTMANAGER
from pipeline.intake.envelopes.beats import BEATS
from pipeline.intake.envelopes.cadvisor import CADVISOR
from pipeline.intake.envelopes.cloudwatch import CLOUDWATCH
from pipeline.intake.envelopes.decoder import Decoder, Fields
from pipeline.intake.envelopes.docker import DOCKER_JSON_FILE
from pipeline.intake.envelopes.docker_stats import DOCKER_STATS, DOCKER_STATS_LINE
from pipeline.intake.envelopes.fluent import FLUENT_BIT, FLUENTD
from pipeline.intake.envelopes.gelf import GELF
from pipeline.intake.envelopes.logrus_json import LOGRUS_JSON
from pipeline.intake.envelopes.logstash import LOGSTASH
from pipeline.intake.envelopes.otlp import OTLP_LOGS, OTLP_METRICS
from pipeline.intake.envelopes.own import MARKER, OWN_LINE, OWN_METRIC
from pipeline.intake.envelopes.prometheus import PROMETHEUS_KAFKA_ADAPTER
from pipeline.intake.envelopes.syslog import JOURNALD, SYSLOG_JSON
from pipeline.intake.envelopes.telegraf import TELEGRAF_JSON, decode_influx, looks_like_influx
from pipeline.intake.envelopes.vector import VECTOR_LOG, VECTOR_METRIC

JSON_DECODERS: dict[str, Decoder] = {
    "fluent-bit": FLUENT_BIT,
    "vector": VECTOR_LOG,
    "beats": BEATS,
    "journald": JOURNALD,
    "undercurrent-line": OWN_LINE,
    "undercurrent-marker": MARKER,
    "undercurrent-metric": OWN_METRIC,
    "logstash": LOGSTASH,
    "fluentd": FLUENTD,
    "gelf": GELF,
    "docker-json-file": DOCKER_JSON_FILE,
    "vector-metric": VECTOR_METRIC,
    "prometheus-kafka-adapter": PROMETHEUS_KAFKA_ADAPTER,
    "telegraf-json": TELEGRAF_JSON,
    "cadvisor": CADVISOR,
    "docker-stats": DOCKER_STATS,
    "docker-stats-line": DOCKER_STATS_LINE,
    "cloudwatch": CLOUDWATCH,
    "otlp-logs": OTLP_LOGS,
    "otlp-metrics": OTLP_METRICS,
    "alertmanager": ALERTMANAGER,
    "syslog-json": SYSLOG_JSON,
    "logrus-json": LOGRUS_JSON,
}
"""Name (as in metrics and docs) → decoder, the most frequent first, then the more specific."""

__all__ = ["JSON_DECODERS", "Decoder", "Fields", "decode_influx", "looks_like_influx"]
