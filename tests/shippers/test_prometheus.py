"""Scraping exporters and asking a Prometheus server: what is read arrives, once, with its own time."""

import urllib.parse
from pathlib import Path

import orjson
import pytest

from agents.shippers.page import Figures
from agents.shippers.scrape import Scraper
from agents.shippers.server import CATCH_UP_SECONDS, Server
from agents.shippers.web import Client, WebError, address
from schemas import SampleKind
from tests.shippers.exporter import Pages
from tests.shippers.reading import samples

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = (ROOT / "tests/intake/fixtures/captured-registry-v2.8.3.metrics.prom").read_bytes()
ADVISOR = b"""\
# TYPE container_cpu_usage_seconds_total counter
container_cpu_usage_seconds_total{cpu="total",container="registry",namespace="prod",pod="registry-7d4b9"} 12.5
container_spec_cpu_quota{container="registry",namespace="prod",pod="registry-7d4b9"} 12000
machine_cpu_cores 8
"""
NOW = 1_795_425_000.0


def test_a_registry_is_scraped_whole_and_under_its_name() -> None:
    """One record per scrape; sums over labels are possible, families nobody reads stay away."""
    with Pages(lambda *_: (200, REGISTRY)) as pages:
        scraper = Scraper({"registry-a": f"{pages.url}/metrics"}, Client(5), "node-1", Figures())
        records = list(scraper.read(NOW))
    assert len(records) == 1
    assert len(records[0].value) < len(REGISTRY) / 3
    (found,) = samples(records)
    assert (found.kind, found.instance, found.host, found.time) == (
        SampleKind.REQUESTS, "registry-a", "node-1", NOW,
    )  # fmt: skip
    assert found.values["up"] == 1
    assert (found.values["requests_total"] or 0) > 0


def test_an_exporter_of_containers_names_them_itself() -> None:
    """cAdvisor's series bear their own places."""
    with Pages(lambda *_: (200, ADVISOR)) as pages:
        found = samples(Scraper({"cadvisor": pages.url}, Client(5), "node-1", Figures()).read(NOW))
    assert {(one.kind, one.instance) for one in found} == {(SampleKind.CPU, "registry-7d4b9")}
    assert {"usage_seconds_total": 12.5} in [one.values for one in found]
    assert {"limit_cores": 0.12} in [one.values for one in found]


def test_a_registry_that_stops_answering_is_down_and_is_said_once() -> None:
    """That it does not answer is itself a reading; what never answered is none's."""
    statuses = iter([200, 503, 503, 200])
    figures = Figures()
    with Pages(lambda *_: (next(statuses), REGISTRY)) as pages:
        scraper = Scraper({"a": pages.url, "nobody": "http://127.0.0.1:1/metrics"}, Client(2), "h", figures)
        found = [samples(scraper.read(NOW + second)) for second in range(4)]
    assert [[(one.instance, one.values["up"]) for one in second] for second in found] == [
        [("a", 1)], [("a", 0)], [("a", 0)], [("a", 1)],
    ]  # fmt: skip
    assert figures.value("read_errors_total") == 6


def test_a_token_is_shown_and_never_told(tmp_path: Path) -> None:
    """It comes from a file, read each time; an error names neither it nor what stands in the address."""
    token = tmp_path / "token"
    token.write_text("first\n")
    with Pages(lambda _path, _form, shown: (200 if shown == "Bearer first" else 401, REGISTRY)) as pages:
        client = Client(5, token)
        assert client.get(pages.url) == REGISTRY
        token.write_text("second-secret")
        with pytest.raises(WebError, match="it answers 401") as caught:
            client.get(pages.url)
        assert "secret" not in str(caught.value)
        with pytest.raises(WebError, match="it answers 401") as caught:
            Client(5).get(pages.url.replace("http://", "http://user:hush@"))
        assert "hush" not in str(caught.value)
    with Pages(lambda _path, _form, shown: (200, shown.encode())) as pages:
        assert Client(5).get(pages.url.replace("http://", "http://user:hush@")) == b"Basic dXNlcjpodXNo"
    with pytest.raises(ValueError, match="expected http"):
        address("file:///etc/passwd")


class Prometheus:
    """The query door of a Prometheus server that has scraped a registry and a node every five seconds."""

    def __init__(self) -> None:
        self.windows: list[tuple[float, float]] = []
        self.up = True

    def answer(self, _path: str, form: bytes, _shown: str) -> tuple[int, bytes]:
        """A matrix of the samples within the window that is asked for."""
        if not self.up:
            return 503, b""
        asked = urllib.parse.parse_qs(form.decode())
        end = float(asked["time"][0])
        start = end - float(asked["query"][0].rpartition("[")[2].removesuffix("ms]")) / 1000
        self.windows.append((start, end))
        times = [time for time in range(int(NOW) - 60, int(NOW) + 3_600, 5) if start < time <= end]
        common = {"job": "registry", "instance": "10.0.0.7:5001", "pod": "registry-7d4b9"}
        node = {"job": "cadvisor", "instance": "node-1", "pod": "registry-7d4b9", "container": "registry"}
        series = [
            {"__name__": "registry_http_in_flight_requests", "handler": "catalog", **common},
            {"__name__": "registry_http_in_flight_requests", "handler": "blob", **common},
            {"__name__": "container_cpu_usage_seconds_total", **node},
        ]
        result = [{"metric": tags, "values": [[time, str(time % 1000)] for time in times]} for tags in series]
        return 200, orjson.dumps(
            {"status": "success", "data": {"resultType": "matrix", "result": result if times else []}}
        )


def test_a_server_is_asked_for_samples_as_it_scraped_them(tmp_path: Path) -> None:
    """Each sample once and with its own time, sums over one scrape, however the windows overlap."""
    prometheus = Prometheus()
    with Pages(prometheus.answer) as pages:
        server = Server(pages.url, "", Client(5), tmp_path / "until", Figures())
        found = [one for step in range(5) for one in samples(server.read(NOW + 7 * step))]
    flights = [one for one in found if "in_flight" in one.values]
    uses = [one for one in found if one.kind is SampleKind.CPU]
    times = [float(time) for time in range(int(NOW) - 60, int(NOW) + 29, 5)]
    assert [one.time for one in flights] == [one.time for one in uses] == times
    assert {one.instance for one in found} == {"registry-7d4b9"}
    assert all(one.values["in_flight"] == 2 * (one.time % 1000) for one in flights), "summed over handlers"


def test_a_server_that_was_away_is_asked_for_what_was_missed(tmp_path: Path) -> None:
    """After an outage or a restart the window reaches back to the last answer, up to a bound."""
    prometheus = Prometheus()
    figures = Figures()
    with Pages(prometheus.answer) as pages:
        server = Server(pages.url, "", Client(5), tmp_path / "until", figures)
        list(server.read(NOW))
        prometheus.up = False
        assert list(server.read(NOW + 60)) == []
        assert figures.value("read_errors_total") == 1
        prometheus.up = True
        again = Server(pages.url, 'namespace="prod"', Client(5), tmp_path / "until", figures)
        missed = samples(again.read(NOW + 120))
        assert {one.time for one in missed} >= {NOW + seconds for seconds in range(5, 121, 5)}
        list(again.read(NOW + 10_000))
    assert prometheus.windows[-1][0] == pytest.approx(NOW + 10_000 - CATCH_UP_SECONDS)
