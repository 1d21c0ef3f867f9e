"""A real Kafka for the tests: one KRaft node on loopback, started, hurt and ended by its process id.

Kafka comes through Maven (pom.xml beside this file) into `.kafka/<version>/` once; a broker is up
some two seconds after `start()`. Its data lie in a temporary folder that `close()` removes.
"""

import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka.admin import KafkaAdminClient, NewTopic
from kafka.errors import KafkaError

from tools.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".kafka"
LOGS = CACHE / "logs"
VERSION = os.environ.get("UNDERCURRENT_TEST_KAFKA_VERSION", "4.1.0")
JAVA_MIN = 17
HOW_TO_GET = (
    f"install Java {JAVA_MIN} or newer and Maven, on Debian: apt-get install default-jre-headless maven"
)

FETCH_SECONDS_MAX = 600
START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 20

JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.config=warn",
    "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaConfig=warn",
)
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
# One node: nothing can be replicated.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# Recordings bear their own, older time: retention would delete them under a running test.
log.retention.ms=-1
# Two cores are shared with the tests themselves.
num.network.threads=2
num.io.threads=2
background.threads=2
log.cleaner.dedupe.buffer.size=4194304
group.initial.rebalance.delay.ms=0
# After a kill the controller waits this long before it takes the same broker back.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
group.min.session.timeout.ms=1000
"""


class BrokerError(RuntimeError):
    """The broker could not be fetched, started or stopped; the message says what happened."""


def missing(version: str = VERSION) -> str | None:
    """Say in one clause what this machine lacks to run a real Kafka; None when nothing is lacking."""
    java = _java_version()
    if java is None:
        return "there is no Java"
    if java < JAVA_MIN:
        return f"Java is version {java}, Kafka needs {JAVA_MIN}"
    if not (CACHE / version).is_dir() and shutil.which("mvn") is None:
        return "there is no Maven to fetch Kafka with"
    return None


def fetch(version: str = VERSION) -> Path:
    """Return the folder with the jars of Kafka `version`, asking Maven for them the first time.

    Raises:
        BrokerError: Maven failed; the message ends with its own words.
    """
    jars = CACHE / version
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{version}.lock").open("wb") as lock:  # one process asks, the others wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            _fetch_into(jars, version)
    return jars


def _fetch_into(jars: Path, version: str) -> None:
    partial = Path(tempfile.mkdtemp(prefix=f"{version}.", dir=CACHE))
    done = subprocess.run(
        [
            "mvn",
            "--batch-mode",
            "--quiet",
            f"--file={Path(__file__).with_name('pom.xml')}",
            f"-Dkafka.version={version}",
            f"-DoutputDirectory={partial}",
            "dependency:copy-dependencies",
        ],
        capture_output=True,
        text=True,
        timeout=FETCH_SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(partial)
        raise BrokerError(f"Maven could not fetch Kafka {version}:\n{done.stdout}{done.stderr}")
    partial.rename(jars)


class KafkaBroker:
    """One broker of its own, on free ports of loopback. `bootstrap` is stable over restarts.

    `more`: further properties, which win over PROPERTIES and know the same `{…}`. `data`: where it
    keeps its logs, if not in its own temporary folder.
    """

    def __init__(self, version: str = VERSION, more: str = "", data: Path | None = None) -> None:
        self.version = version
        self.port, controller_port = free_ports(2)
        self.bootstrap = f"127.0.0.1:{self.port}"
        self.log = LOGS / f"broker-{self.port}.log"
        self._classpath = f"{fetch(version)}/*"
        self._home = Path(tempfile.mkdtemp(prefix="undercurrent-kafka-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._paused = False
        self._properties = self._home / "server.properties"
        self._properties.write_text(
            (PROPERTIES + more).format(
                port=self.port, controller_port=controller_port, data=data or self._home / "data"
            )
        )
        self._format()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep_log=error is not None)

    @property
    def has_died(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    @property
    def pid(self) -> int:
        """Process id of the running broker. Raises BrokerError when it does not run."""
        if self._process is None:
            raise BrokerError("the broker does not run")
        return self._process.pid

    def start(self) -> None:
        """Start the broker and wait until it answers.

        Raises:
            BrokerError: it ended, or did not answer in time; the message ends with its log.
        """
        if self._process is not None:
            raise BrokerError(f"the broker runs already as process {self._process.pid}")
        LOGS.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._java("kafka.Kafka", str(self._properties)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends the tests, and they end the broker
            )
        try:
            self._wait_until_it_answers()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End the broker as an operator would, with SIGTERM; after 20 s with SIGKILL."""
        if self._process is None:
            return
        self.resume()
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        """End the broker as a power cut would, with SIGKILL. Its data stay for `start()`."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        self._paused = False

    def restart(self) -> None:
        """Stop and start on the same ports with the same data."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the broker with SIGSTOP: connections stay open and nobody answers."""
        os.kill(self.pid, signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """Let a frozen broker go on."""
        if self._paused:
            os.kill(self.pid, signal.SIGCONT)
            self._paused = False

    def create_topics(self, partitions_by_topic: dict[str, int]) -> None:
        """Create topics and wait until the broker leads all their partitions."""
        topics = [NewTopic(name, count, 1) for name, count in partitions_by_topic.items()]
        self.admin(lambda admin: admin.create_topics(topics, wait_for_metadata=True))

    def admin(self, act: Callable[[Any], Any]) -> Any:
        """What `act` gets done with an admin client."""
        admin = self._admin()
        try:
            return act(admin)
        finally:
            admin.close()

    def close(self, keep_log: bool = False) -> None:
        """End the broker and remove its data; its log stays only when `keep_log`."""
        self.kill()
        shutil.rmtree(self._home, ignore_errors=True)
        if not keep_log:
            self.log.unlink(missing_ok=True)

    def _java(self, main: str, *arguments: str) -> list[str]:
        return [_java_command(), *JVM, *LOGGING, "-cp", self._classpath, main, *arguments]

    def _format(self) -> None:
        done = subprocess.run(
            self._java(
                "kafka.tools.StorageTool",
                "format",
                "-t",
                "undercurrent-tests-000",
                "-c",
                str(self._properties),
            ),
            capture_output=True,
            text=True,
            timeout=START_SECONDS_MAX,
            check=False,
        )
        if done.returncode:
            raise BrokerError(f"could not format the storage:\n{done.stdout}{done.stderr}")

    def _admin(self) -> KafkaAdminClient:
        return KafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=10_000)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BrokerError(f"the broker ended with {self._process.returncode}:\n{self._last_words()}")
            if self._answers():
                return
            time.sleep(0.1)
        raise BrokerError(f"no answer from the broker in {START_SECONDS_MAX} s:\n{self._last_words()}")

    def _answers(self) -> bool:
        """Whether the port is open and the broker is listed in its own metadata, so serves topics."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                pass
            admin = self._admin()
        except (OSError, KafkaError):
            return False
        try:
            return bool(admin.describe_cluster()["brokers"])
        except KafkaError:
            return False
        finally:
            admin.close()

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-40:])


def _java_command() -> str:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def _java_version() -> int | None:
    """Major version of the Java that would run the broker, None where there is none."""
    try:
        done = subprocess.run(
            [_java_command(), "-version"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    found = re.search(r'version "(\d+)', done.stderr)
    return int(found[1]) if found else None
