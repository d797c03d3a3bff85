"""S3 as a storage: on a real server, and what it makes of answers that a real one gives rarely."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fixtures.s3_server import ACCESS
from fixtures.storage_suite import StorageSuite

from ingest.errors import (
    ObjectChanged,
    ObjectUnavailable,
    ObjectUnreadable,
    SettingsError,
    StorageError,
)
from ingest.storage import Storage, open_storage, s3, s3_client, s3_list

pytestmark = pytest.mark.integration

CRC32_OF_0123 = "pmadfQ=="


class TestS3(StorageSuite):
    """A prefix of a bucket."""

    @pytest.fixture
    def store(self, bucket: str) -> Storage:
        return open_storage(f"s3://{bucket}/a prefix")


@pytest.fixture
def root(bucket: str) -> Storage:
    """The whole bucket."""
    return open_storage(f"s3://{bucket}")


def keys(store: Storage, prefix: str = "") -> list[str]:
    return [found.key for found in store.list(prefix)]


def test_a_prefix_shows_its_own_keys_only(bucket: str, root: Storage) -> None:
    for key in ("web/a", "web2/b", "web/", "web", "c"):
        root.put(key, b"x")
    assert keys(open_storage(f"s3://{bucket}/web/")) == ["a"]
    assert open_storage(f"s3://{bucket}/web/").uri == f"s3://{bucket}/web"
    assert open_storage(f"s3://{bucket}/").uri == f"s3://{bucket}"


def test_folders_of_consoles_are_not_objects(root: Storage) -> None:
    for key, content in (("a/", b""), ("b/", b"x"), ("a/c", b"")):
        root.put(key, content)
    assert keys(root) == ["a/c", "b/"]


@pytest.mark.parametrize("shape", ["flat", "one folder in another", "folders", "many folders"])
def test_many_pages_are_listed_once_and_in_order(
    root: Storage, shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_list, "_PAGE_KEYS", 8)
    names = [f"{number:04}" for number in range(60)]
    match shape:
        case "flat":
            wanted = names
        case "one folder in another":
            wanted = [f"AWSLogs/1/{int(name) % 3}/{name}" for name in names]
        case "folders":
            wanted = [f"{int(name) % 5}/{name}" for name in names] + ["2", "2.log", "é/x"]
        case _:
            monkeypatch.setattr(s3_list, "_MOST_FOLDERS", 4)
            wanted = [f"{int(name) % 5}/{name}" for name in names]
    for key in wanted:
        root.put(key, b"")
    assert keys(root) == sorted(wanted, key=str.encode)
    assert [found.key for found in root.list(after=wanted[50])] == sorted(
        (key for key in wanted if key.encode() > wanted[50].encode()), key=str.encode
    )


def test_large_files_go_up_in_parts(root: Storage, tmp_path: Path) -> None:
    spool = tmp_path / "a"
    content = bytes(range(256)) * (80 << 10)
    spool.write_bytes(content)
    root.upload(spool, "a")
    assert root.stat("a").etag.endswith("-2")  # of parts
    assert root.read("a", (16 << 20) - 3, (16 << 20) + 3) == content[:3].join((content[-3:], b""))


@pytest.mark.usefixtures("s3_environ")
def test_a_bucket_that_is_not_there() -> None:
    for attempt in (lambda store: list(store.list()), lambda store: store.put("a", b"")):
        with pytest.raises(SettingsError, match="there is no such bucket"):
            attempt(open_storage("s3://no-such-bucket/web"))


# --- what a real server answers rarely -----------------------------------------------------------


@dataclass
class Answer:
    """One answer; a body shorter than `length` breaks off."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


@dataclass
class Faulty:
    """A server that gives the answers it was told, and remembers what was asked."""

    store: Storage
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


def problem(status: int, code: str, message: str = "no") -> Answer:
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Answer(status, body.encode(), {"Content-Type": "application/xml"})


def part(body: bytes, *, at: int = 0, length: int | None = None, etag: str = "e1") -> Answer:
    """Return bytes of an object of ten, the first of them at `at`; `length` are announced."""
    last = at + (length or len(body)) - 1
    return Answer(
        206, body, {"ETag": f'"{etag}"', "Content-Range": f"bytes {at}-{last}/10"}, length
    )


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faulty]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            server.asked.append((self.command, self.path, dict(self.headers)))
            given = server.answers.pop(0)
            self.send_response(given.status)
            for name, value in given.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(given.length or len(given.body)))
            self.end_headers()
            self.wfile.write(given.body)
            self.close_connection = True

        do_GET = do_PUT = do_HEAD = do_POST = answer  # noqa: N815 - names of the base class

        def log_message(self, *_: object) -> None: ...

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server = Faulty(open_storage("s3://logs-1/web"))
    url = f"http://127.0.0.1:{http.server_port}"
    for name, value in {**ACCESS, "AWS_ENDPOINT_URL_S3": url}.items():
        monkeypatch.setenv(name, value)
    s3_client._client.cache_clear()
    monkeypatch.setattr(s3, "_PAUSE_SECONDS", (0.0, 0.0))
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    yield server
    http.shutdown()
    thread.join()
    http.server_close()
    s3_client._client.cache_clear()


def test_a_body_that_breaks_off_is_read_on(faulty: Faulty) -> None:
    faulty.answers = [
        part(b"012", length=10),
        part(b"3456", at=3, length=7),
        part(b"789", at=7),
    ]
    assert faulty.store.read("a", 0, 10, etag="e1") == b"0123456789"
    ranges = [(headers["Range"], headers["If-Match"]) for _, _, headers in faulty.asked]
    assert ranges == [("bytes=0-9", '"e1"'), ("bytes=3-9", '"e1"'), ("bytes=7-9", '"e1"')]


def test_a_body_goes_on_in_the_same_version(faulty: Faulty) -> None:
    faulty.answers = [part(b"012", length=10), problem(412, "PreconditionFailed")]
    with pytest.raises(ObjectChanged, match="changed while it was read"):
        faulty.store.read("a", 0, 10)
    assert faulty.asked[1][2]["If-Match"] == '"e1"'  # that of the first answer


def test_an_answer_with_fewer_bytes_than_asked_for_is_read_on(faulty: Faulty) -> None:
    faulty.answers = [part(b"01234"), part(b"56789", at=5)]
    assert faulty.store.read("a", 0, 10) == b"0123456789"


def test_an_answer_that_begins_elsewhere_is_no_part(faulty: Faulty) -> None:
    whole = Answer(200, b"0123456789", {"ETag": '"e1"'})
    faulty.answers = [whole, part(b"78", at=7), part(b"678", at=6)]
    assert faulty.store.read("a", 6, 9) == b"678"


def test_an_answer_that_is_not_what_its_checksum_says_is_asked_for_again(faulty: Faulty) -> None:
    damaged, good = part(b"01x3"), part(b"0123")
    for answer in (damaged, good):
        answer.headers["x-amz-checksum-crc32"] = CRC32_OF_0123
    faulty.answers = [damaged, good]
    assert faulty.store.read("a", 0, 4) == b"0123"


def test_another_version_is_noticed_where_the_server_does_not(faulty: Faulty) -> None:
    faulty.answers = [part(b"0123", etag="e2")]
    with pytest.raises(ObjectChanged, match="changed while it was read"):
        faulty.store.read("a", 0, 4, etag="e1")


def test_a_body_that_always_breaks_off_ends_the_task(faulty: Faulty) -> None:
    faulty.answers = [part(b"", length=10)] * 6
    with pytest.raises(
        StorageError, match="s3://logs-1/web/a: could not be read whole in 6 attempts"
    ) as caught:
        faulty.store.read("a", 0, 10)
    assert not isinstance(caught.value, ObjectUnreadable | ObjectChanged)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (problem(403, "AccessDenied"), ObjectUnreadable, "s3:GetObject"),
        (
            problem(403, "AccessDenied", "User x is not authorized to perform: kms:Decrypt"),
            ObjectUnreadable,
            "kms:Decrypt",
        ),
        (problem(400, "KMS.DisabledException"), ObjectUnreadable, "kms:Decrypt"),
        (problem(403, "InvalidObjectState"), ObjectUnreadable, "restore"),
        (problem(404, "NoSuchKey"), ObjectUnreadable, "it is gone"),
        (problem(416, "InvalidRange"), ObjectChanged, "shorter"),
        (problem(412, "PreconditionFailed"), ObjectChanged, "changed while"),
        (problem(404, "NoSuchBucket"), SettingsError, "no such bucket"),
        (problem(400, "ExpiredToken"), SettingsError, "no valid AWS credentials"),
        (problem(400, "Strange"), ObjectUnavailable, "GetObject failed .Strange"),
    ],
)
def test_what_an_answer_means(
    faulty: Faulty, answer: Answer, kind: type[Exception], message: str
) -> None:
    faulty.answers = [answer]
    with pytest.raises(kind, match=message) as caught:
        faulty.store.read("a", 0, 10)
    assert type(caught.value) is kind
    assert ACCESS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


def test_whether_there_is_an_object_is_one_request(faulty: Faulty) -> None:
    page = b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>web/a</Key>"
    page += b"<Size>1</Size><ETag>e</ETag><LastModified>2026-01-01T00:00:00Z</LastModified>"
    faulty.answers = [Answer(body=page + b"</Contents></ListBucketResult>")]
    assert next(iter(faulty.store.list())).key == "a"
    assert len(faulty.asked) == 1


def test_a_busy_server_is_asked_again(faulty: Faulty) -> None:
    faulty.answers = [problem(503, "SlowDown"), problem(500, "InternalError"), part(b"0123")]
    assert faulty.store.read("a", 0, 4) == b"0123"


def test_a_put_without_an_answer_is_left_to_whoever_seals(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 has asked again before: one more loop here would ask hundreds of times."""
    monkeypatch.setitem(s3_client._SETTINGS, "retries", {"total_max_attempts": 2})
    s3_client._client.cache_clear()
    faulty.answers = [problem(503, "SlowDown")] * 3
    with pytest.raises(StorageError, match="SlowDown"):
        faulty.store.put_if_absent("a", b"x")
    assert len(faulty.asked) == 2


def test_a_refused_upload_leaves_no_spool(faulty: Faulty) -> None:
    spool = faulty.store.spool("a.parquet")
    spool.write_bytes(b"rows")
    faulty.answers = [problem(403, "AccessDenied")]
    with pytest.raises(StorageError, match=r"s3://logs-1/web/a\.parquet: .*AccessDenied"):
        faulty.store.upload(spool, "a.parquet")
    assert not spool.exists()


def test_a_put_whose_answer_was_lost_has_written(faulty: Faulty) -> None:
    """boto3 asks again, and is told that the object exists: whose it is, the object says."""
    faulty.answers = [problem(500, "InternalError"), problem(412, "PreconditionFailed")]
    assert faulty.store.put_if_absent("a", b"x") is False


def test_a_put_is_tried_again_while_others_write(faulty: Faulty) -> None:
    faulty.answers = [problem(409, "ConditionalRequestConflict")] * 3 + [Answer()]
    assert faulty.store.put_if_absent("a", b"x") is True
    assert {headers["If-None-Match"] for _, _, headers in faulty.asked} == {"*"}


@pytest.mark.parametrize(
    ("answer", "asked"),
    [(problem(409, "ConditionalRequestConflict"), 10), (problem(403, "AccessDenied"), 1)],
)
def test_a_put_that_never_succeeds_is_an_error(faulty: Faulty, answer: Answer, asked: int) -> None:
    faulty.answers = [answer] * 10
    with pytest.raises(
        StorageError, match=r"PutObject was refused|other writers were in the way 10 times"
    ):
        faulty.store.put_if_absent("a", b"x")
    assert len(faulty.asked) == asked


def test_what_could_not_be_deleted_is_named(faulty: Faulty) -> None:
    faulty.answers = [
        Answer(
            body=b"<DeleteResult><Error><Key>web/a</Key><Code>AccessDenied</Code>"
            b"<Message>no</Message></Error></DeleteResult>"
        )
    ]
    with pytest.raises(StorageError, match=r"web/a could not be deleted \(AccessDenied"):
        faulty.store.delete(["a", "b"])


def test_without_credentials_there_is_a_remedy(
    faulty: Faulty, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3_client._client.cache_clear()
    with pytest.raises(SettingsError, match="aws configure"):
        faulty.store.read("a", 0, 1)


def test_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch, faulty: Faulty) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setitem(s3_client._SETTINGS, "retries", {"total_max_attempts": 1})
    s3_client._client.cache_clear()
    with pytest.raises(StorageError, match="S3 did not answer"):
        list(faulty.store.list())


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch, faulty: Faulty) -> None:
    monkeypatch.setenv("AWS_PROFILE", "none-such")
    s3_client._client.cache_clear()
    with pytest.raises(SettingsError, match="none-such"):
        faulty.store.stat("a")
