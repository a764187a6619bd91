"""How rows are scored: in eval mode, one array for all batches, and nothing changes by it."""

import numpy as np
import pytest
import torch
from torch import nn

from alkit.nets.training.outputs import softmax
from tests.nets.networks import MLP, blobs, net, rng_states

X, Y = blobs()


@pytest.fixture(scope="module")
def fitted():
    return net(max_epochs=3).fit(X, Y)


@pytest.mark.parametrize("shape", [(7, 3), (7, 5, 3), (1, 1, 1)])
def test_softmax_is_torchs(shape):
    logits = 50 * torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    before = logits.clone()
    torch.testing.assert_close(softmax(logits), torch.softmax(logits, -1))
    assert torch.equal(logits, before)


def test_scoring_restores_every_mode_and_random_state(fitted):
    fitted.module_.dropout.train()
    before = rng_states()
    with fitted.scoring():
        assert not any(layer.training for layer in fitted.module_.modules())
        assert not torch.is_grad_enabled()
        torch.rand(3)
        np.random.rand(3)
    assert [layer.training for layer in fitted.module_.children()] == [False, False, True, False]
    assert rng_states() == before
    assert torch.is_grad_enabled()
    fitted.module_.dropout.eval()


def test_modes_are_restored_after_an_error(fitted):
    fitted.module_.train()
    with pytest.raises(InterruptedError), fitted.scoring():
        raise InterruptedError
    assert all(layer.training for layer in fitted.module_.modules())
    fitted.module_.eval()


class TestGather:
    @pytest.mark.parametrize("sizes", [[5], [2, 3], [1, 1, 3]])
    def test_it_is_the_concatenation(self, fitted, sizes):
        values = torch.randn(5, 2, 3, dtype=torch.float64)
        gathered = fitted.gather(5, iter(values.split(sizes))).numpy()
        assert gathered.dtype == np.float32
        np.testing.assert_array_equal(gathered, values.float().numpy())

    def test_nan_is_refused_and_infinity_is_not(self, fitted):
        values = torch.zeros(6, 2)
        values[4, 1] = torch.inf
        assert fitted.gather(6, iter(values.split(3))).isinf().sum() == 1
        values[4, 1] = torch.nan
        with pytest.raises(ValueError, match="MLP returns NaN among rows 3 to 5 of X"):
            fitted.gather(6, iter(values.split(3)))


def test_views_do_not_depend_on_the_size_of_batches(fitted):
    other = net(max_epochs=3, iterator_valid__batch_size=7).fit(X, Y)
    np.testing.assert_allclose(other.predict_proba(X), fitted.predict_proba(X), atol=1e-6)
    np.testing.assert_allclose(other.embed(X), fitted.embed(X), atol=1e-5)
    samples = [model.sample_proba(X, 4, random_state=0) for model in (other, fitted)]
    np.testing.assert_allclose(*samples, atol=1e-6)


class TestFirstRows:
    def test_a_network_that_writes_its_inputs_gets_copies(self):
        class InPlace(MLP):
            def forward(self, x):
                return super().forward(x.mul_(2))

        rows = X.copy()
        model = net(InPlace, max_epochs=2).fit(rows, Y)
        assert model.writes_inputs_
        model.predict_proba(rows)
        np.testing.assert_array_equal(rows, X)

    def test_integers_go_as_floats_where_they_are_refused_and_both_errors_are_told(self):
        ids = np.arange(360).reshape(90, 4)
        assert not net(max_epochs=1).fit(ids, Y).integer_inputs_

        class Choosy(MLP):
            def forward(self, x):
                raise TypeError(f"takes no {x.dtype}")

        with pytest.raises(TypeError, match="takes no torch.float32") as raised:
            net(Choosy).fit(ids, Y)
        assert "takes no torch.int64" in str(raised.value.__cause__)

    def test_outputs_must_be_one_per_class(self):
        with pytest.raises(ValueError, match=r"outputs of shape \(8, 2\) for 8 rows, but there are 3 classes"):
            net(nn.Linear(4, 2)).fit(X, Y)
