"""A small hub on localhost: what huggingface_hub asks about models, and files by ranges, as far as pulling needs it."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "c0ffee" + "0" * 34
LARGE_BYTES = 2000  # from which on a file is kept by its SHA-256, as the hub's large ones are


@dataclass
class Hub:
    """`files` by repository and path. `cut_at`: how many more bytes come before a connection breaks off; `altered`:
    paths of which one bit comes wrong; `deaf`: ranges are not understood; `gated`: repositories that ask for consent;
    `stalling`: a path of which half comes and then nothing, which sets `stalled`; `told_instead`: what is said of every
    repository; `portal`: every file is a page to log in to a network, of some length or of none that is said;
    `agents`: what those who asked said of themselves."""

    files: dict[str, dict[str, bytes]]
    url: str = ""
    cut_at: dict[str, int] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    deaf: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)  # path and range of every file that was asked for
    sent_bytes: int = 0
    stalled: threading.Event = field(default_factory=threading.Event)
    stalling: str = ""
    told_instead: bytes = b""
    portal: bytes = b""
    portal_type: str = "text/html"
    says_length: bool = True
    agents: set[str] = field(default_factory=set)

    def told(self, repository: str) -> dict[str, object]:
        """What the hub says of a repository, with sizes and checksums."""
        siblings = [described(path, content) for path, content in self.files[repository].items()]
        config = json.loads(self.files[repository].get("config.json", b"{}"))
        told = {"id": repository, "modelId": repository, "sha": COMMIT, "siblings": siblings, "tags": []}
        return told | {"config": {"model_type": config.get("model_type")}}


def described(path: str, content: bytes) -> dict[str, object]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    told: dict[str, object] = {"rfilename": path, "size": len(content), "blobId": git}
    if len(content) >= LARGE_BYTES:
        told["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
    return told


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """The hub answers inside the block."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:  # noqa: N802  (the standard library's name)
            path = self.path.partition("?")[0].removeprefix("/")
            hub.agents.add(self.headers["User-Agent"])
            if path.startswith("api/models/"):
                repository = "/".join(path.split("/")[2:4])
                if repository not in hub.files:
                    return self.refuse(404, "RepoNotFound")
                return self.answer(200, hub.told_instead or json.dumps(hub.told(repository)).encode())
            owner, name, _, _, file = path.split("/", 4)
            if f"{owner}/{name}" in hub.gated:
                return self.refuse(403, "GatedRepo")
            self.send_file(file, hub.files[f"{owner}/{name}"][file])

        def send_file(self, path: str, content: bytes) -> None:
            asked = self.headers.get("Range", "")
            hub.asked.append((path, asked))
            if hub.portal:
                return self.answer(200, hub.portal, path)
            if path in hub.altered:
                content = content[:-1] + bytes([content[-1] ^ 1])
            start = int(asked.removeprefix("bytes=").rstrip("-") or 0) if not hub.deaf else 0
            self.answer(206 if asked and not hub.deaf else 200, content[start:], path)

        def answer(self, status: int, body: bytes, path: str = "") -> None:
            self.send_response(status)
            if hub.says_length or not path:
                self.send_header("Content-Length", str(len(body)))
            else:
                self.close_connection = True
            self.send_header("Content-Type", hub.portal_type if hub.portal else "binary/octet-stream")
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if path and path == hub.stalling:
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                hub.stalled.set()
                threading.Event().wait(30)
            if path in hub.cut_at:
                body, self.close_connection = body[: hub.cut_at.pop(path)], True
            hub.sent_bytes += len(body) if path else 0
            self.wfile.write(body)

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("X-Error-Message", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
