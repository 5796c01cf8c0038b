"""A headless Chromium, driven by the DevTools protocol over two pipes: no port, no library.

https://chromedevtools.github.io/devtools-protocol/ ; `--remote-debugging-pipe` reads commands from descriptor 3 and
writes answers to 4, each a JSON document that ends in a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.collector_process import wait_until

Json = dict[str, Any]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ANSWER_SECONDS = 60.0
# Puts the pipes where Chromium looks for them, and becomes Chromium.
_LAUNCH = (
    "import os, sys; os.dup2(int(sys.argv[1]), 3); os.dup2(int(sys.argv[2]), 4); os.execv(sys.argv[3], sys.argv[3:])"
)
_FLAGS = (
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--use-gl=swiftshader",
    "--enable-unsafe-swiftshader",  # WebGL without a graphics card
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """The program: CHROMIUM's, else the first on PATH; None where there is none."""
    given = os.environ.get("CHROMIUM")
    return given or next((found for found in map(shutil.which, NAMES) if found), None)


class Page:
    """One tab of the browser."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers = commands, answers
        self._unread = b""
        self._number = 0
        self._session: str | None = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")
        self.send("Network.enable")
        # A page forgets what it loaded beyond 250 files otherwise.
        script = "performance.setResourceTimingBufferSize(5000)"
        self.send("Page.addScriptToEvaluateOnNewDocument", source=script)

    def send(self, method: str, **parameters: Any) -> Json:
        """One command's result. Raises AssertionError where the browser refuses it, or does not answer in time."""
        self._number += 1
        message: Json = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: Json = answer["result"]
                return result

    def size(self, width: int, height: int) -> None:
        """How large the window is, in pixels."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def headers(self, headers: Mapping[str, str]) -> None:
        """Sent with every request from now on."""
        self.send("Network.setExtraHTTPHeaders", headers=dict(headers))

    def open(self, url: str) -> None:
        """Goes there; waits for nothing."""
        self.send("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression. Raises AssertionError where it throws."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, f"{script}: {answer.get('exceptionDetails')}"
        return answer["result"].get("value")

    def wait(self, condition: str, what: str, timeout: float = ANSWER_SECONDS) -> None:
        """Until a JavaScript expression, or what it promises, is true; fails the test with `what` after `timeout` s."""
        wait_until(lambda: self.run(f"Promise.resolve({condition}).then(Boolean)"), what, timeout)

    def shot(self, path: Path) -> None:
        """The window as a PNG file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))

    def _read(self) -> Json:
        end = time.monotonic() + ANSWER_SECONDS
        while b"\0" not in self._unread:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"Chromium did not answer within {ANSWER_SECONDS:g} s"
            received = os.read(self._answers, 1 << 16)
            assert received, "Chromium ended"
            self._unread += received
        message, _, self._unread = self._unread.partition(b"\0")
        answer: Json = json.loads(message)
        return answer


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Page]:
    """A browser with an empty profile and one page; ended at the end."""
    from_us, commands = os.pipe()
    answers, to_us = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", _LAUNCH, str(from_us), str(to_us), program, *_FLAGS, f"--user-data-dir={profile}"],
        pass_fds=(from_us, to_us),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    try:
        yield Page(commands, answers)
    finally:
        os.close(commands)  # tells it to end
        os.close(answers)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)
