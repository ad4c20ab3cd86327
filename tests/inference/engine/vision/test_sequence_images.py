"""The images of a sequence: their places, names and positions, and when they are looked at."""

import torch

from inference.engine.flat_batch import lay_out
from inference.engine.kv_cache import CacheShape
from inference.engine.placed_images import place_images
from inference.engine.sequence import Chunk, Sequence
from inference.engine.vision.sequence_images import SequenceImages

SHOWS = 9
CPU = torch.device("cpu")


class CountingEyes:
    """Eyes whose features are the places themselves, and which count how often they look."""

    image_token = SHOWS

    def __init__(self, positions=None):
        self.looks = 0
        self._positions = positions

    def features(self, inputs):
        self.looks += 1
        places = (inputs["input_ids"][0] == SHOWS).nonzero().flatten()
        return places.view(1, -1, 1).float()

    def positions(self, inputs):
        return self._positions


def images_in(tokens, digests, eyes=None):
    inputs = {"input_ids": torch.tensor([tokens])}
    return SequenceImages(eyes or CountingEyes(), inputs, digests)


def test_places_and_features_of_a_stretch_belong_together():
    eyes = CountingEyes()
    images = images_in([1, SHOWS, SHOWS, 2, SHOWS, 3], [b"a", b"b"], eyes)

    assert images.places(2, 5).tolist() == [2, 4]
    assert images.features(2, 5).flatten().tolist() == [2.0, 4.0]
    assert images.places(5, 6).tolist() == []
    images.features(0, 6)
    assert eyes.looks == 1


def test_nobody_looks_at_images_whose_tokens_are_not_computed():
    eyes = CountingEyes()
    images = images_in([1, SHOWS, SHOWS, 2, 3], [b"a"], eyes)
    sequence = Sequence("one", [1, SHOWS, SHOWS, 2, 3, 4], 5, 8, images=images)

    placed = place_images([Chunk(sequence, 3, 3, scored=1)], CPU)

    assert placed is None
    assert eyes.looks == 0


def test_each_stretch_is_named_by_its_own_image():
    images = images_in([1, SHOWS, SHOWS, 2, SHOWS, 3], [b"a", b"b"])

    assert images.name_of(0, 1) == b""
    assert images.name_of(0, 3) == b"a"
    assert images.name_of(2, 6) == b"ab"
    assert images.name_of(5, 6) == b""


def test_images_that_cannot_be_told_apart_are_named_together():
    side_by_side = images_in([1, SHOWS, SHOWS, 2], [b"a", b"b"])
    in_tiles = images_in([SHOWS, 1, SHOWS, 2], [b"a"])

    assert side_by_side.name_of(0, 2) == b"ab"
    assert in_tiles.name_of(2, 3) == b"a"


def test_positions_count_on_from_the_largest_one():
    own = torch.tensor([[0, 1, 1, 1, 1, 3], [0, 1, 1, 2, 2, 3], [0, 1, 2, 1, 2, 3]])
    eyes = CountingEyes(own)
    images = images_in([1, SHOWS, SHOWS, SHOWS, SHOWS, 2], [b"a"], eyes)

    assert images.positions(4, 6).tolist() == own[:, 4:6].tolist()
    assert images.positions(5, 8).tolist() == [[3, 4, 5]] * 3
    assert images.positions(7, 9).tolist() == [[5, 6]] * 3


def test_images_lie_in_the_columns_of_their_own_sequence():
    images = images_in([1, SHOWS, SHOWS, 2], [b"a"])
    text = Sequence("text", [5, 6, 7], 3, 4)
    seeing = Sequence("seeing", [1, SHOWS, SHOWS, 2], 4, 4, images=images)
    chunks = [Chunk(text, 0, 3, scored=1), Chunk(seeing, 2, 2, scored=1)]

    placed = place_images(chunks, CPU)
    states = placed.over(torch.zeros(5, 1))

    assert states.flatten().tolist() == [0, 0, 0, 2.0, 0]
    assert placed.positions is None


def test_texts_beside_images_keep_their_places_in_all_dimensions():
    eyes = CountingEyes(torch.tensor([[0, 1, 1, 2]] * 3))
    images = images_in([1, SHOWS, SHOWS, 2], [b"a"], eyes)
    text = Sequence("text", [5, 6, 7, 8], 3, 4)
    seeing = Sequence("seeing", [1, SHOWS, SHOWS, 2, 4], 4, 4, images=images)

    placed = place_images([Chunk(text, 3, 1, scored=1), Chunk(seeing, 3, 2, scored=1)], CPU)

    assert placed.positions.tolist() == [[3, 2, 3]] * 3
    assert placed.over(torch.ones(3, 1)).flatten().tolist() == [1.0, 1.0, 1.0]
    assert eyes.looks == 0


def test_after_the_prompt_one_position_a_column_is_enough():
    images = images_in([1, SHOWS, SHOWS, 2], [b"a"], CountingEyes(torch.tensor([[0, 1, 1, 2]] * 3)))
    seeing = Sequence(
        "seeing", [1, SHOWS, SHOWS, 2, 4], 4, 4, blocks=[0], runs=[(0, 1)], images=images
    )
    text = Sequence("text", [5, 6, 7, 8], 3, 4, blocks=[1], runs=[(1, 1)])
    chunks = [Chunk(seeing, 4, 1, scored=1), Chunk(text, 3, 1, scored=1)]

    batch = lay_out(chunks, CacheShape(rows=1, row_blocks=2, block_size=8))

    assert place_images(chunks, CPU) is None
    assert (batch.positions, batch.turns) == ([4, 3], [3, 3])
