"""Every recorded fixture decodes to the canonical fields that expected.yaml states, and to nothing else."""

import pytest

from pipeline.intake.envelope import BINARY_DECODERS, TEXT_DECODERS
from pipeline.intake.envelopes import JSON_DECODERS
from pipeline.intake.relevance import cannot_matter
from tests.formats.reading import captures, expected, expected_of_captures, facts, fixtures, kinds
from tools import formats_docs

EXPECTED = expected()
FIXTURES = fixtures()
CAPTURES = captures()


@pytest.mark.parametrize("name", FIXTURES)
def test_a_fixture_decodes_to_what_is_stated(name: str) -> None:
    """Decoder, kind, place, time and every value."""
    stated = {key: value for key, value in EXPECTED[name].items() if key not in ("from", "source")}
    assert facts(FIXTURES[name]) == stated


@pytest.mark.parametrize("name", CAPTURES)
def test_a_captured_log_tells_what_is_stated(name: str) -> None:
    """Each failed request, lookup and start of a real registry's log, and nothing else."""
    assert kinds(CAPTURES[name]) == expected_of_captures()[name]


def test_nothing_is_stated_of_a_fixture_that_is_gone() -> None:
    """expected.yaml and the files are the same set."""
    assert set(EXPECTED) == set(FIXTURES)
    assert set(expected_of_captures()) == set(CAPTURES)


def test_every_decoder_has_a_recorded_fixture() -> None:
    """A decoder that nothing recorded goes through is a guess."""
    shown = {str(one["decoder"]).removesuffix("-msgpack") for one in EXPECTED.values()}
    assert {*JSON_DECODERS, *TEXT_DECODERS, *BINARY_DECODERS} - shown == set()


@pytest.mark.parametrize("name", FIXTURES)
def test_the_byte_test_lets_every_fixture_through(name: str) -> None:
    """Packed and binary records as well; alerts too, so that they are counted as what they are."""
    assert not cannot_matter(FIXTURES[name])


def test_the_same_record_in_another_encoding_tells_the_same() -> None:
    """JSON, protobuf and MessagePack, packed or not."""
    for names in (
        ("otlp_logs.json", "otlp_logs.pb", "otlp_logs.pb.gz", "otlp_logs.pb.zst"),
        ("otlp_metrics.json", "otlp_metrics.pb", "otlp_metrics.pb.zst", "otlp_metrics.json.gz"),
        ("fluentbit-cri-1of2", "fluentbit-msgpack.bin", "fluentbit-gelf.json"),
        ("fluentd-k8s", "fluentd-msgpack.bin"),
    ):
        told = [facts(FIXTURES[name])["tells"] for name in names]
        assert told == [told[0]] * len(told)


def test_the_page_is_made_of_what_is_stated() -> None:
    """docs/formats.md holds the table of today; `python -m tools.formats_docs` writes it."""
    assert formats_docs.PAGE.read_text(encoding="utf-8") == formats_docs.page()
