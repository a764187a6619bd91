"""Work that does not fit on a device is halved, and nothing is lost or done twice; reading ahead keeps the order."""

import threading

import pytest
import torch

from alkit._memory import FittingParts, read_ahead


class Device:
    """Computes on as many rows as fit, and remembers what it was asked."""

    def __init__(self, fitting: int):
        self.fitting, self.asked = fitting, []

    def __call__(self, part: slice) -> list[int]:
        self.asked.append(part.stop - part.start)
        if self.asked[-1] > self.fitting:
            raise torch.OutOfMemoryError
        return list(range(part.start, part.stop))


@pytest.mark.parametrize(("n", "fitting"), [(1, 1), (10, 10), (10, 9), (10, 3), (7, 1), (0, 1)])
def test_every_row_is_computed_once_and_in_order(n, fitting):
    rows = [row for part in FittingParts().of(n, Device(fitting)) for row in part]
    assert rows == list(range(n))


def test_what_fits_is_remembered():
    parts, device = FittingParts(), Device(3)
    list(parts.of(8, device))
    device.asked.clear()
    list(parts.of(8, device))
    assert device.asked == [2, 2, 2, 2]


def test_a_single_row_that_does_not_fit_is_an_error():
    with pytest.raises(torch.OutOfMemoryError):
        list(FittingParts().of(4, Device(0)))


def test_other_errors_are_not_caught():
    with pytest.raises(ZeroDivisionError):
        list(FittingParts().of(4, lambda part: 1 // 0))


def test_the_next_item_is_read_while_the_caller_works():
    second_was_asked = threading.Event()

    def items():
        yield 1
        second_was_asked.set()
        yield 2

    ahead = read_ahead(items())
    assert next(ahead) == 1
    assert second_was_asked.wait(10)
    assert list(ahead) == [2]


def test_an_error_in_reading_comes_in_its_place():
    def items():
        yield 1
        raise KeyError("gone")

    ahead = read_ahead(items())
    assert next(ahead) == 1
    with pytest.raises(KeyError, match="gone"):
        next(ahead)
