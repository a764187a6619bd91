"""Where rows lie in a draw must be found from its shapes, or refused."""

import pytest
import torch

from alkit.nets.mc_dropout.layouts import Layout, Layouts, LeadingRows, LearntLayouts, NoRowAxisError

LAYOUTS = [
    Layout((1, 4), 0),
    Layout((3, 1), 1),
    Layout((6, 4), 0),
    Layout((6, 4), 0, rows_first=False),
    Layout((2, 6), 1, rows_first=False),
]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_row_gets_the_values_of_one_row(layout):
    n, values = 5, torch.randn(layout.one_row)
    spread = layout.spread(values, n)
    assert spread.shape == layout.shape(n)
    rows_axis = layout.axis if layout.rows_first else layout.axis + 1
    for row in layout.split(spread, n).unbind(rows_axis):
        assert torch.equal(row.reshape(layout.one_row), values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_broadcasting_multiplies_as_spreading_does(layout):
    n, values = 5, torch.randn(layout.one_row)
    x = torch.randn(layout.shape(n))
    product = layout.split(x, n) * layout.broadcastable(values)
    assert torch.equal(product.reshape(x.shape), x * layout.spread(values, n))


def test_rows_around_and_inside_heads():
    values = torch.tensor([1.0, 2.0])
    assert Layout((2,), 0).spread(values, 3).tolist() == [1, 2, 1, 2, 1, 2]
    assert Layout((2,), 0, rows_first=False).spread(values, 3).tolist() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("three", "five", "layout"),
    [
        ((3, 8), (5, 8), Layout((1, 8), 0)),
        ((8, 3), (8, 5), Layout((8, 1), 1)),
        ((12, 7, 7), (20, 7, 7), Layout((4, 7, 7), 0)),
        ((8, 8), (8, 8), Layout((8, 8), None)),
        ((), (), Layout((), None)),
    ],
)
def test_layouts_are_learnt_from_two_sizes(three, five, layout):
    assert LearntLayouts([], [three], 3).find(0, five, 5) == layout


@pytest.mark.parametrize(
    ("three", "five"),
    [
        ((3, 3), (5, 5)),  # each row with each row
        ((9,), (25,)),
        ((4, 8), (6, 8)),  # a token of no row
        ((3, 8), (5, 8, 1)),
        ((3, 8), (5, 9)),
    ],
)
def test_draws_that_do_not_grow_by_whole_rows_are_refused(three, five):
    with pytest.raises(NoRowAxisError, match="for 5 rows has shape .* for 3 rows"):
        LearntLayouts([], [three], 3).find(0, five, 5)


def test_more_draws_than_before_are_refused():
    with pytest.raises(NoRowAxisError, match="5 rows make more random draws than 3 rows do"):
        LearntLayouts([], [], 3).find(0, (5, 8), 5)


def test_draw_of_another_place_is_found_by_its_shape_unless_two_layouts_have_it():
    rows, heads, columns = Layout((1, 4), 0), Layout((2, 9), 0), Layout((6, 1), 1)
    layouts = Layouts([rows, heads, columns])
    assert layouts.find(0, (12, 9), 6) is heads
    assert layouts.find(7, (6, 5), 5) is columns
    assert Layouts([rows, Layout((4, 1), 1)]).find(1, (4, 4), 4).axis == 1
    with pytest.raises(NoRowAxisError, match="which of it are rows is not known"):
        Layouts([rows, Layout((4, 1), 1)]).find(2, (4, 4), 4)
    with pytest.raises(NoRowAxisError, match="which of it are rows is not known"):
        layouts.find(0, (3, 3), 5)


def test_leading_rows():
    layouts = LeadingRows([])
    assert layouts.find(0, (5, 8), 5) == Layout((1, 8), 0)
    for shape in [(5,), (8, 5), (5, 8, 2)]:
        with pytest.raises(NoRowAxisError):
            layouts.find(1, shape, 5)
