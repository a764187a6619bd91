"""Encoders of one modality: blocks against their papers, and zeros for rows that lack the modality."""

import pytest
import torch
from torch import nn

from alkit.nets.multimodal.classifier import MultimodalNet
from alkit.nets.multimodal.encoders import ENCODERS, Highway, ModalityEncoder, Residual

H = 4


def test_an_unknown_name():
    with pytest.raises(ValueError, match="encoder='cnn' is unknown; choose 'residual'"):
        ModalityEncoder("cnn", (3,), 4, 1, 0.5)


def test_blocks_are_their_papers():
    x = torch.randn(5, H)
    residual, highway = Residual(H, 0.0), Highway(H, 0.0)
    norm, linear = residual.change[:2]
    torch.testing.assert_close(residual(x), x + torch.relu(linear(norm(x))))
    t = torch.sigmoid(highway.gate(x))
    torch.testing.assert_close(highway(x), t * torch.relu(highway.change[0](x)) + (1 - t) * x)
    assert t.mean() < 0.5


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_shapes_dropout_and_no_batch_norm(name, depth):
    encoder = ModalityEncoder(name, (2, 3), width=8, depth=depth, dropout=0.5)
    encoding, present = encoder(torch.randn(7, 2, 3))
    assert encoding.shape == (7, 8)
    assert present.all()
    kinds = [type(part) for part in encoder.modules()]
    assert kinds.count(nn.Dropout) >= 1
    assert not any(issubclass(kind, nn.modules.batchnorm._BatchNorm) for kind in kinds)


@pytest.mark.parametrize("name", ENCODERS)
def test_what_is_missing_is_zero_whatever_it_holds(name):
    encoder = ModalityEncoder(name, (4,), width=8, depth=1, dropout=0.0)
    x = torch.randn(3, 4)
    x[1, 2] = torch.nan
    encoding, present = encoder(x)
    assert present.tolist() == [True, False, True]
    assert (encoding[1] == 0).all()
    assert encoding.isfinite().all()
    encoding.sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters())


def test_modules_are_copied_callables_called_and_widths_matched():
    module = nn.Linear(4, 5)
    copied = ModalityEncoder(module, (4,), width=8, depth=1, dropout=0.5)
    assert copied.encoder is not module
    assert torch.equal(copied.encoder.weight, module.weight)
    assert isinstance(copied.resize, nn.Linear)
    built = ModalityEncoder(lambda: nn.LazyLinear(8), (4,), width=8, depth=1, dropout=0.5)
    assert built.encoder.in_features == 4
    assert isinstance(built.resize, nn.Identity)


def test_token_ids_stay_integers_even_where_some_are_missing():
    encoder = ModalityEncoder(nn.Sequential(nn.Embedding(9, 4), nn.Flatten()), (3,), 8, 1, 0.0)
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    whole, _ = encoder(ids)
    gappy, present = encoder(torch.tensor([[1, 2, 3], [torch.nan] * 3]))
    torch.testing.assert_close(gappy[0], whole[0])
    assert present.tolist() == [True, False]


def test_an_embedding_of_positions_does_not_make_floats_ids():
    class Places(nn.Module):
        def __init__(self):
            super().__init__()
            self.place = nn.Embedding(4, 1)

        def forward(self, x):
            return x + self.place(torch.arange(4))[:, 0]

    encoder = ModalityEncoder(Places(), (4,), 4, 1, 0.0)
    x = torch.rand(2, 4)
    torch.testing.assert_close(encoder(x)[0], encoder.encoder(x))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_modules_of_another_dtype(dtype):
    encoder = ModalityEncoder(nn.Linear(4, 5, dtype=dtype), (4,), 8, 1, 0.0)
    assert encoder(torch.randn(2, 4))[0].dtype == torch.float32


def test_what_cannot_encode_says_whose():
    with pytest.raises(ValueError, match="encoder of modality 'text': .* missing 2 required positional arguments"):
        MultimodalNet({"text": 4}, 2, encoder=nn.Linear)
    with pytest.raises(ValueError, match=r"encoder of modality 'text': it returns a tuple, but must return a tenso"):
        MultimodalNet({"text": 4}, 2, encoder=nn.LSTM(4, 3))


def test_outputs_that_are_no_vectors():
    with pytest.raises(ValueError, match=r"returns \(4, 6, 6\) for a row of shape \(3, 8, 8\), but must return a"):
        ModalityEncoder(nn.Conv2d(3, 4, 3), (3, 8, 8), 8, 1, 0.5)
