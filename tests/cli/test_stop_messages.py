"""What Ctrl-C says, once and again."""

from __future__ import annotations

import os
import signal

import pytest

from dse.cli.signals import StopRequest


def test_each_ctrl_c_says_what_it_does_and_what_the_next_one_would_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = {s: signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)}
    stop = StopRequest()
    try:
        stop.install()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.requested
        assert "the running ones finish (Ctrl-C again" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        assert "the first to run when the study goes on (Ctrl-C again" in capsys.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.exit_code == 143
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
