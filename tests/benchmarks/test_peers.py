import json
import sys
from dataclasses import asdict

import pytest

from benchmarks.peers.catalog import PEERS, Peer
from benchmarks.peers.environments import MARK, PeerUnavailableError, python_of
from benchmarks.peers.job import Job, Stopwatch, prompts_of, read_job
from benchmarks.shapes import tokenizer_of

JOB = Job("folder", "float32", "cpu", 1, (1, 4), 16, 8, 1)


def test_a_job_survives_the_way_to_a_peer():
    assert read_job(json.dumps(asdict(JOB))) == JOB


def test_prompts_differ_between_streams_and_repetitions():
    prompts = [prompt for run in range(3) for prompt in prompts_of(JOB, 4, run)]

    assert len(set(prompts)) == 12
    assert {len(prompt) for prompt in prompts} == {16}


def test_every_token_of_a_benchmark_reads_back_as_itself():
    tokenizer = tokenizer_of(40_000)
    tokens = [2, 500, 20_000, 39_999]

    assert tokenizer(tokenizer.decode(tokens))["input_ids"] == tokens


def test_a_stopwatch_refuses_an_answer_of_the_wrong_length():
    watch = Stopwatch(JOB, streams=2)
    watch.token(0)
    watch.token(0)
    watch.token(1)

    with pytest.raises(RuntimeError, match=r"\[1, 2\] tokens instead of 2"):
        watch.measurement(2)


def test_a_stopwatch_counts_steps_from_when_all_streams_have_begun():
    watch = Stopwatch(JOB, streams=2)
    for stream, after_s in ((0, 1.0), (0, 2.0), (1, 2.0), (0, 3.0), (1, 3.0), (1, 4.0)):
        watch.token(stream, watch.start + after_s)

    measurement = watch.measurement(3)

    assert measurement.tokens == 6
    assert measurement.first_token_s == pytest.approx(1.5)


def test_peers_without_packages_run_in_this_environment(tmp_path):
    assert str(python_of(PEERS["generate"], tmp_path)) == sys.executable


def test_a_package_that_does_not_install_makes_a_peer_unavailable(tmp_path):
    peer = Peer("broken", "nobody", (str(tmp_path / "no-such-wheel-1.0-py3-none-any.whl"),))

    with pytest.raises(PeerUnavailableError, match="broken: ERROR"):
        python_of(peer, tmp_path)

    assert not (tmp_path / "environments" / "broken" / MARK).exists()
