import json
from dataclasses import asdict
from pathlib import Path

import pytest

from benchmarks import engine, engine_length, engine_overhead, engine_turns
from benchmarks.engine_rows import Row, earlier_rows, merged, ratios_of
from benchmarks.peers.catalog import Peer
from benchmarks.shapes import TINY, saved_model


@pytest.fixture(scope="module")
def peers_home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("peers")
    saved_model(TINY, home / "models")
    return home


def report_of(benchmark, home: Path, file: Path, *arguments: str) -> dict:
    benchmark.main(["--quick", "--peers-home", str(home), "--json", str(file), *arguments])
    return json.loads(file.read_text(encoding="utf-8"))


def test_the_engine_is_measured_with_one_and_more_streams(peers_home, tmp_path):
    report = report_of(engine, peers_home, tmp_path / "report.json", "--peers", "none")

    assert report["unavailable"] == []
    assert [row["streams"] for row in report["rows"]] == [1, 4]
    assert all(row["tokens_per_cpu_s"] > 0 for row in report["rows"])
    assert all(row["step_ms"] > 0 for row in report["rows"])


def test_a_peer_that_cannot_run_is_reported_with_its_reason(peers_home, tmp_path, monkeypatch):
    monkeypatch.setitem(engine.PEERS, "vllm", Peer("vllm", "benchmarks.peers.nobody"))

    report = report_of(engine, peers_home, tmp_path / "report.json", "--peers", "vllm")

    (missing,) = report["unavailable"]
    assert missing["engine"] == "vllm"
    assert "No module named" in missing["reason"]
    assert {row["engine"] for row in report["rows"]} == {"engine"}


def test_a_second_turn_reads_the_first_ones_blocks(peers_home, tmp_path):
    report = report_of(engine_turns, peers_home, tmp_path / "report.json")

    cold, second = report["rows"]
    assert cold["prompt_tokens"] == second["prompt_tokens"] == 200
    assert cold["cached_tokens"] == 0
    assert second["cached_tokens"] >= 128


def test_a_long_answer_is_measured_early_and_late(peers_home, tmp_path):
    report = report_of(engine_length, peers_home, tmp_path / "report.json")

    assert [row["at_token"] for row in report["rows"]] == [10, 100]
    assert all(row["cpu_ms"] > 0 for row in report["rows"])


def test_the_time_outside_the_forward_pass_is_a_share_of_the_step(peers_home, tmp_path):
    report = report_of(engine_overhead, peers_home, tmp_path / "report.json")

    (row,) = report["rows"]
    assert 0 < row["outside_share"] < 1
    assert row["forward_ms"] + row["outside_ms"] == pytest.approx(row["step_ms"])


def test_an_earlier_report_fills_what_was_not_measured_again(tmp_path):
    def row(name: str, streams: int, speed: float) -> Row:
        return Row(name, TINY, "float32", streams, speed, speed, 1.0, 1.0, 10.0)

    earlier = tmp_path / "earlier.json"
    rows = [asdict(row("engine", 1, 30)), asdict(row("vllm", 1, 40))]
    earlier.write_text(json.dumps({"rows": rows}), encoding="utf-8")

    together = merged(earlier_rows(earlier), [row("engine", 1, 60)])

    assert together == [row("engine", 1, 60), row("vllm", 1, 40)]


def test_our_engine_is_compared_with_each_peer_at_the_same_number_of_streams():
    def row(name: str, streams: int, speed: float) -> Row:
        return Row(name, TINY, "float32", streams, speed, speed, 1.0, 1.0, 10.0)

    rows = [row("engine", 1, 30), row("engine", 16, 240)]
    peers = [row("fastchat", 16, 20), row("vllm", 16, 200), row("vllm", 1, 30)]

    found = {(ratio.streams, ratio.peer): ratio.per_cpu_s for ratio in ratios_of(rows + peers)}

    assert found == {(16, "fastchat"): 12.0, (16, "vllm"): 1.2, (1, "vllm"): 1.0}
