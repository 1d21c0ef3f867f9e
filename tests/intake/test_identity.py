"""Whose line is it: instance, host and domain."""

from fnmatch import fnmatchcase

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.intake import DomainRule, IntakeConfig
from pipeline.intake.entry import Labels, labels
from pipeline.intake.identity import Places
from tests.intake.feed import feed, fluent_bit

LINE = 'time="2026-11-23T09:10:30Z" level=info msg="listening on :5000" go.version=go1.19.8 instance=self'


def test_the_instance_is_the_most_particular_name_there_is() -> None:
    """Pod before container before the short id; with none of them there is no instance."""
    find = Places((), "default").find
    full = Labels(pod="p", container="c", container_id="0123456789abcdef", host="h")
    assert find(full, "t").instance == "p"
    assert find(full._replace(pod=None), "t").instance == "c"
    assert find(full._replace(pod=None, container=None), "t").instance == "0123456789ab"
    assert find(Labels(host="h"), "t")[:2] == (None, "h")


def test_names_lose_their_runtime_and_their_slash() -> None:
    """`containerd://9b1f…` and `/registry` are the same container as `9b1f…` and `registry`."""
    found = labels(container="/registry", container_id="containerd://9b1f")
    assert (found.container, found.container_id) == ("registry", "9b1f")
    assert labels(pod="x" * 1000).pod == "x" * 253
    assert labels(pod="") == Labels()


def test_the_first_rule_that_matches_names_the_domain() -> None:
    """All labels of a rule must match, by value or glob; with no rule matching it is the default."""
    config = IntakeConfig(
        domains=(
            DomainRule("eu", {"namespace": "registry", "label.region": "eu-*"}),
            DomainRule("mirror", {"pod": "mirror-?", "topic": "registry.*"}),
            DomainRule("all", {"namespace": "registry"}),
        ),
        default_domain="rest",
    )

    def domain(pod: str, namespace: str = "registry", **workload: str) -> str:
        place = {"pod_name": pod, "namespace_name": namespace, "labels": workload}
        (frame,) = feed([fluent_bit(LINE, kubernetes=place)], config).frames
        return frame.domain

    assert domain("registry-a", region="eu-central-1") == "eu"
    assert domain("registry-a", region="us-east-1") == "all"
    assert domain("registry-a") == "all"
    assert domain("mirror-1", namespace="other") == "mirror"
    assert domain("mirror-10", namespace="other") == "rest"


LABELS = ("namespace", "pod", "container", "topic", "label.region")
VALUES = st.sampled_from(["", "a", "b", "ab", "a*", "ab*", "a?", "?", "*", "*b", "[ab]", "a[b"])
RULES = st.lists(st.dictionaries(st.sampled_from(LABELS), VALUES, max_size=3), max_size=8)
RECORD = st.fixed_dictionaries(
    {name: st.sampled_from(["", "a", "b", "ab", "abc", "a[b", "a*"]) for name in LABELS}
)


@given(matches=RULES, record=RECORD)
def test_looking_rules_up_finds_what_trying_each_of_them_finds(
    matches: list[dict[str, str]], record: dict[str, str]
) -> None:
    """Against the naive way: the first rule all of whose labels match, one after the other."""
    first = next(
        (
            str(at)
            for at, match in enumerate(matches)
            if all(fnmatchcase(record[name], pattern) for name, pattern in match.items())
        ),
        "none",
    )
    rules = tuple(DomainRule(str(at), match) for at, match in enumerate(matches))
    where = Labels(record["namespace"], record["pod"], record["container"])
    found = Places(rules, "none").find(where, record["topic"], {"region": record["label.region"]})
    assert found.domain == first


def test_two_pods_that_differ_in_a_workload_label_only_are_told_apart() -> None:
    """What is remembered of a place includes the labels that matchers look at."""
    config = IntakeConfig(domains=(DomainRule("blue", {"label.color": "blue"}),))
    values = [
        fluent_bit(LINE, kubernetes={"pod_name": "registry-a", "labels": {"color": color}})
        for color in ("blue", "green")
    ]
    assert [frame.domain for frame in feed(values, config).frames] == ["blue", "default"]


def test_a_resolver_line_belongs_to_the_container_its_envelope_names() -> None:
    """Docker's resolver speaks for one container; through journald nobody knows which."""
    line = (
        'time="2026-11-23T09:10:30.1Z" level=error msg="[resolver] failed to query DNS server: 10.0.0.2:53, '
        'query: ;s3.example.com.\\tIN\\t A" error="read udp 172.18.0.5:1->10.0.0.2:53: i/o timeout"'
    )
    journald = {
        "@timestamp": 1795425030.5,
        "_HOSTNAME": "node-1",
        "SYSLOG_IDENTIFIER": "dockerd",
        "MESSAGE": line,
    }
    (named,) = feed([fluent_bit(line)]).frames[0].signals
    (unnamed,) = feed([orjson.dumps(journald)]).frames[0].signals
    assert (named.instance, named.host) == ("registry-a", "node-registry-a")
    assert (unnamed.instance, unnamed.host) == (None, "node-1")


def test_a_service_line_without_a_container_falls_back_to_itself_then_to_its_host() -> None:
    """An envelope may know the host only."""
    bare = "2026-11-23T09:10:30.1Z node-1 "
    (itself,) = feed([bare + LINE]).frames[0].signals
    (host,) = feed([bare + LINE.replace(" instance=self", "")]).frames[0].signals
    assert (itself.instance, host.instance) == ("self", "node-1")
