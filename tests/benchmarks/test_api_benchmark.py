import asyncio
import json

import pytest

from benchmarks import api, api_servers
from benchmarks.api_load import BrokenAnswerError, all_readings, text_of
from benchmarks.api_rows import IdleRow, Row, ratios_of, row_of
from benchmarks.api_script import Reading
from benchmarks.peers.catalog import Peer


def test_the_api_is_measured_beside_the_bare_script(tmp_path):
    sizes = ["--streams", "2", "--repetitions", "1", "--idle", "3", "--idle-seconds", "1"]

    api.main(["--quick", *sizes, "--json", str(tmp_path / "report.json")])

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    bare, served = report["rows"]
    (idle,) = report["idle"]
    assert report["unavailable"] == []
    assert (bare["server"], served["server"]) == ("bare script", "uvicorn")
    assert served["added_first_p50_ms"] == served["first_p50_ms"] - bare["first_p50_ms"]
    assert 0 < served["web_cpu_us"] <= served["all_cpu_us"]
    assert (idle["idle_streams"], idle["lost"]) == (3, 0)
    assert idle["after_mb"] > 0


def test_a_peer_that_cannot_be_installed_is_reported(tmp_path, monkeypatch):
    broken = Peer("broken", "nobody", (str(tmp_path / "no-such-wheel-1.0-py3-none-any.whl"),))
    monkeypatch.setattr(api_servers, "FASTCHAT_API", broken)

    sizes = ["--servers", "", "--streams", "1", "--repetitions", "1"]
    home = ["--peers-home", str(tmp_path), "--json", str(tmp_path / "report.json")]
    api.main([*sizes, "--peers", "fastchat", *home])

    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [entry["server"] for entry in report["unavailable"]] == ["fastchat"]
    assert [row["server"] for row in report["rows"]] == ["bare script"]


def test_every_reader_of_the_bare_script_gets_another_answer():
    readings = asyncio.run(all_readings(None, 3, 1))

    assert len({reading.text for reading in readings}) == 3
    assert all(gap_s > 0 for reading in readings for gap_s in reading.gaps_s)


def test_added_time_is_that_of_a_server_less_that_of_the_script():
    bare = row_of("bare", 1, [Reading("one two three", 0.0, (1.0, 2.0, 3.0))])

    row = row_of(
        "ours", 1, [Reading("one two three", 0.0, (1.5, 3.0, 4.5))], cpu_s=(3.0, 6.0), bare=bare
    )

    # Percentiles of one wait and of two equal gaps are these themselves.
    assert (row.added_first_p50_ms, row.added_gap_p95_ms) == pytest.approx((500, 500))
    assert (row.web_cpu_us, row.all_cpu_us) == pytest.approx((1e6, 2e6))
    assert row.tokens_per_s == pytest.approx(3 / 4.5)


def test_servers_are_compared_with_the_first_of_them():
    rows = [
        Row("ours", 1, 1, 10, 1, 1, 1, web_cpu_us=100, all_cpu_us=100),
        Row("theirs", 1, 1, 50, 1, 1, 1, web_cpu_us=300, all_cpu_us=400),
    ]
    idle = [IdleRow(name, 1, 1, 1, kb, 0, 0, 0) for name, kb in (("ours", 10), ("theirs", 80))]

    speed, memory = ratios_of(rows, idle)

    assert speed.startswith("theirs: 3.0x the CPU time of ours for a token in the web process")
    assert speed.endswith("4.0x in all, 5.0x the wait for the first")
    assert memory == "theirs: 8.0x the memory of a stream"


def test_an_error_event_is_no_text():
    with pytest.raises(BrokenAnswerError, match="queue"):
        text_of(b'{"error": {"message": "the queue is full"}}')
