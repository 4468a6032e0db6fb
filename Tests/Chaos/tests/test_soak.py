import numpy as np

import soak


def rows(grow: float = 0.0, descriptors: float = 0.0):
    """Returns an hour of samples of one process. `grow` is in megabytes and `descriptors` in descriptors per hour."""
    random = np.random.default_rng(3)
    return [
        (second, "router", 50 + grow * second / 3600 + random.normal(0, 0.5), int(20 + descriptors * second / 3600), 4)
        for second in range(0, 3600, 5)
    ]


def test_growth_is_reported_and_noise_is_not():
    slopes, problems = soak.judge(rows(), 3600)
    assert abs(slopes["router"]) < 0.3 and problems == []
    slopes, problems = soak.judge(rows(grow=2), 3600)
    assert abs(slopes["router"] - 2) < 0.3 and len(problems) == 1


def test_descriptor_leaks_are_reported():
    assert len(soak.judge(rows(descriptors=100), 3600)[1]) == 1


def test_outliers_do_not_count_as_growth():
    peaked = [
        (second, name, resident + 50 * (second > 3000 and second % 100 == 0), *others)
        for second, name, resident, *others in rows()
    ]
    assert soak.judge(peaked, 3600)[1] == []
