import pytest

from inference.exceptions import ModelLoadError
from inference.loading.visible_devices import show_only


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        ("cuda", {"CUDA_VISIBLE_DEVICES"}),
        ("xpu", {"XPU_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"}),
        ("npu", {"ASCEND_RT_VISIBLE_DEVICES"}),
        ("cpu", set()),
        (
            "auto",
            {
                "CUDA_VISIBLE_DEVICES",
                "XPU_VISIBLE_DEVICES",
                "ZE_AFFINITY_MASK",
                "ASCEND_RT_VISIBLE_DEVICES",
            },
        ),
    ],
)
def test_the_drivers_are_told_by_their_variables(device, expected):
    environment = {}

    show_only("0, 2", device=device, num_gpus=2, environment=environment)

    assert set(environment) == expected
    assert set(environment.values()) <= {"0,2"}


def test_devices_may_have_names():
    environment = {}

    show_only("GPU-8932f937-d72c", device="cuda", environment=environment)

    assert environment["CUDA_VISIBLE_DEVICES"] == "GPU-8932f937-d72c"


@pytest.mark.parametrize(
    ("gpus", "words"),
    [
        ("", "takes numbers"),
        ("0,,1", "takes numbers"),
        ("0 1", "takes numbers"),
        ("0;rm -rf", "takes numbers"),
        ("1" * 200, "takes numbers"),
        ("1,1", "names a device twice"),
        ("0,1", "fewer devices than --num-gpus 3"),
    ],
)
def test_a_list_that_names_no_devices_is_refused(gpus, words):
    environment = {}

    with pytest.raises(ModelLoadError, match=words):
        show_only(gpus, device="cuda", num_gpus=3, environment=environment)

    assert environment == {}
