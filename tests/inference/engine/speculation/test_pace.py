from inference.engine.speculation.pace import LONGEST_REST, Pace


def lengths(pace, accepted, steps):
    """The lengths of so many drafts of which at most `accepted` tokens are right each time."""
    seen = []
    for _ in range(steps):
        length = pace.next_length()
        seen.append(length)
        pace.learn(drafted=length, accepted=min(length, accepted))
    return seen


def test_the_first_guess_and_those_that_hold_are_as_long_as_allowed():
    assert lengths(Pace(4), accepted=9, steps=3) == [4, 4, 4]


def test_a_guess_right_in_part_is_followed_by_a_shorter_one():
    assert lengths(Pace(8), accepted=2, steps=3) == [8, 3, 3]


def test_it_grows_again_when_guesses_hold():
    pace = Pace(8)
    pace.learn(drafted=8, accepted=1)

    assert lengths(pace, accepted=9, steps=5) == [2, 4, 6, 8, 8]


def test_wrong_guesses_become_single_tokens_and_rare():
    seen = lengths(Pace(4), accepted=0, steps=100)

    assert seen[:8] == [4, 0, 1, 0, 0, 0, 1, 0]
    assert max(seen[1:]) == 1
    assert 60 // (LONGEST_REST + 1) <= seen[40:].count(1) <= 60 // (LONGEST_REST + 1) + 1


def test_one_right_guess_ends_the_resting():
    pace = Pace(4)
    lengths(pace, accepted=0, steps=30)
    while not pace.next_length():
        pass
    pace.learn(drafted=1, accepted=1)

    assert lengths(pace, accepted=9, steps=2) == [3, 4]


def test_a_step_without_a_guess_teaches_nothing():
    pace = Pace(3)
    pace.learn(drafted=0, accepted=0)

    assert pace.next_length() == 3
