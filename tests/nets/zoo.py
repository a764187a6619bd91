"""Small networks of all kinds that MC dropout must sample rightly: name -> (module, inputs for n rows).

Add a network with `specimen` (a function or class that builds it) or `layered` (layers in sequence); all tests of MC
dropout take it up.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from alkit.nets.mc_dropout import DropoutSampler

WIDTH, STEPS, CLASSES = 6, 5, 3


class Specimen(NamedTuple):
    build: Callable[[], nn.Module]
    inputs: Callable[[int], dict[str, Tensor]]
    shares: bool = True  # masks can be shared by the rows


class Lambda(nn.Module):
    """A module whose forward is a function of (module, x)."""

    def __init__(self, forward, **parts: nn.Module):
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, input: Tensor) -> Tensor:
        return self.function(self, input)


def rows(*shape: int) -> Callable[[int], dict[str, Tensor]]:
    return lambda n: {"input": torch.randn(n, *shape, generator=torch.Generator().manual_seed(n))}


def tokens(n: int) -> dict[str, Tensor]:
    return {"input": torch.randint(11, (n, STEPS), generator=torch.Generator().manual_seed(n))}


ZOO: dict[str, Specimen] = {}


def specimen(inputs=rows(WIDTH), shares: bool = True, name: str = ""):  # noqa: B008
    def register(build: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
        ZOO[name or build.__name__] = Specimen(build, inputs, shares)
        return build

    return register


def head(width: int = 8) -> nn.Linear:
    return nn.Linear(width, CLASSES)


def layered(name: str, *layers: Callable[[], nn.Module], inputs=rows(WIDTH)) -> None:  # noqa: B008
    specimen(inputs, name=name)(lambda: nn.Sequential(*[layer() for layer in layers]))


def linear(a: int = WIDTH, b: int = 8, **options) -> Callable[[], nn.Module]:
    return lambda: nn.Linear(a, b, **options)


def drop(kind=nn.Dropout, p: float = 0.5, **options) -> Callable[[], nn.Module]:
    return lambda: kind(p, **options)


IMAGE = rows(2, 6, 6)


def conv() -> nn.Module:
    return nn.Conv2d(2, 4, 3)


# Perceptrons.
layered("dropout_head", linear(), nn.ReLU, drop(), head)
layered("dropout_head_without_bias", linear(), nn.ReLU, drop(), linear(8, CLASSES, bias=False))
layered("dropout_head_and_softmax", linear(), nn.ReLU, drop(), head, lambda: nn.Softmax(dim=1))
layered("dropout_head_and_log_softmax", linear(), nn.Tanh, drop(), head, lambda: nn.LogSoftmax(dim=-1))
layered("dropout_head_and_sigmoid", linear(), nn.ReLU, drop(), head, nn.Sigmoid)
layered("two_dropouts", linear(), nn.ReLU, drop(), linear(8, 8), nn.ReLU, drop(), head)
layered("three_dropouts", drop(), linear(), nn.GELU, drop(), linear(8, 8), nn.ReLU, drop(), head)
layered("dropout_twice_in_a_row", linear(), drop(), drop(p=0.2), head)
layered("dropout_on_input", drop(), linear(), nn.ReLU, head)
layered("dropout_on_output", linear(), nn.ReLU, head, drop())
layered("dropout_before_activation", linear(), drop(), nn.ReLU, head)
layered("inplace_dropout", linear(), nn.ReLU, drop(inplace=True), head)
layered("inplace_dropout_on_input", drop(inplace=True), linear(), nn.ReLU, head)
layered("inplace_dropout_on_output", linear(), nn.ReLU, head, drop(inplace=True))
layered("inplace_relu_after_dropout", linear(), drop(), lambda: nn.ReLU(inplace=True), head)
layered("inplace_relu_before_dropout", linear(), lambda: nn.ReLU(inplace=True), drop(), head)
layered("alpha_dropout", linear(), nn.SELU, drop(nn.AlphaDropout), head)
layered("feature_alpha_dropout", conv, nn.SELU, drop(nn.FeatureAlphaDropout), nn.Flatten, linear(64, 3), inputs=IMAGE)
layered("rrelu_and_dropout", linear(), nn.RReLU, drop(), head)
layered("regression", linear(), nn.ReLU, drop(), linear(8, 1), lambda: nn.Flatten(0))
layered("layer_norm", linear(), drop(), lambda: nn.LayerNorm(8), nn.ReLU, drop(), head)
layered("batch_norm_before", linear(), lambda: nn.BatchNorm1d(8), nn.ReLU, drop(), head)
layered("batch_norm_after", linear(), drop(), lambda: nn.BatchNorm1d(8), nn.ReLU, head)
layered("bilinear_head", linear(), drop(), lambda: nn.Unflatten(1, (2, 4)), nn.Flatten, head)

# Images.
layered(
    "conv_dropout_head", conv, lambda: nn.BatchNorm2d(4), nn.ReLU, nn.Flatten, linear(64, 8), drop(), head, inputs=IMAGE
)
layered("conv_dropout2d", conv, drop(nn.Dropout2d), nn.ReLU, nn.Flatten, linear(64, CLASSES), inputs=IMAGE)
layered(
    "conv_dropout_inside",
    conv,
    drop(),
    nn.ReLU,
    lambda: nn.Conv2d(4, 4, 3),
    nn.Flatten,
    linear(16, 3),
    inputs=IMAGE,
)
layered(
    "instance_norm",
    conv,
    lambda: nn.InstanceNorm2d(4, track_running_stats=True),
    drop(nn.Dropout2d),
    nn.Flatten,
    linear(64, 3),
    inputs=IMAGE,
)
layered("group_norm", conv, drop(), lambda: nn.GroupNorm(2, 4), nn.Flatten, linear(64, CLASSES), inputs=IMAGE)
layered(
    "dropout3d",
    lambda: nn.Conv3d(1, 4, 2),
    drop(nn.Dropout3d),
    nn.Flatten,
    linear(32, CLASSES),
    inputs=rows(1, 3, 3, 3),
)


@specimen(IMAGE)
def stochastic_depth() -> nn.Module:
    def forward(net: Lambda, x: Tensor) -> Tensor:
        keep = x.new_empty((len(x), 1, 1, 1)).bernoulli_(0.7).div_(0.7)
        return net.head((x + net.conv(x) * keep).flatten(1))

    return Lambda(forward, conv=nn.Conv2d(2, 2, 3, padding=1), head=nn.Linear(72, CLASSES))


# Text.
layered(
    "text_conv",
    lambda: nn.Embedding(11, 4),
    lambda: Lambda(lambda net, x: x.mT),
    lambda: nn.Conv1d(4, 8, 3),
    drop(nn.Dropout1d),
    lambda: nn.AdaptiveMaxPool1d(1),
    nn.Flatten,
    drop(),
    head,
    inputs=tokens,
)
layered(
    "embedding_mean", lambda: nn.Embedding(11, 8), drop(), lambda: Lambda(lambda net, x: x.mean(1)), head, inputs=tokens
)


def recurrent(kind: type[nn.RNNBase], batch_first: bool, **options) -> Callable[[], nn.Module]:
    def forward(net: Lambda, x: Tensor) -> Tensor:
        x = net.embedding(x)
        output, _ = net.rnn(x if batch_first else x.transpose(0, 1))
        return net.head(output[:, -1] if batch_first else output[-1])

    def build() -> nn.Module:
        rnn = kind(4, 6, 2, dropout=0.5, batch_first=batch_first, **options)
        return Lambda(
            forward, embedding=nn.Embedding(11, 4), rnn=rnn, head=head(rnn.hidden_size * (1 + rnn.bidirectional))
        )

    return build


specimen(tokens, name="lstm")(recurrent(nn.LSTM, True))
specimen(tokens, name="lstm_steps_first")(recurrent(nn.LSTM, False))
specimen(tokens, name="lstm_bidirectional")(recurrent(nn.LSTM, True, bidirectional=True))
specimen(tokens, name="gru")(recurrent(nn.GRU, True))
specimen(tokens, name="gru_steps_first")(recurrent(nn.GRU, False))
specimen(tokens, name="rnn")(recurrent(nn.RNN, True))


def packed_inputs(lengths: Callable[[int], list[int]]) -> Callable[[int], dict[str, Tensor]]:
    return lambda n: {**tokens(n), "lengths": torch.tensor(lengths(n))}


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(11, 4), head(6)
        self.rnn = nn.LSTM(4, 6, 2, dropout=0.5, batch_first=True)

    def forward(self, input: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(self.embedding(input), lengths, batch_first=True, enforce_sorted=False)
        return self.head(self.rnn(packed)[1][0][-1])


specimen(packed_inputs(lambda n: [1 + i % STEPS for i in range(n)]), shares=False, name="lstm_ragged")(Packed)
specimen(packed_inputs(lambda n: [STEPS] * n), name="lstm_packed_evenly")(Packed)


# Attention.
def encoder(steps_first: bool = False, **options) -> Callable[[], nn.Module]:
    def forward(net: Lambda, x: Tensor) -> Tensor:
        x = net.embedding(x)
        x = net.encoder(x.transpose(0, 1)).transpose(0, 1) if steps_first else net.encoder(x)
        return net.head(x.mean(1))

    def build() -> nn.Module:
        layer = nn.TransformerEncoderLayer(8, 2, 8, dropout=0.3, batch_first=not steps_first, **options)
        stack = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        return Lambda(forward, embedding=nn.Embedding(11, 8), encoder=stack, head=head())

    return build


specimen(tokens, name="transformer")(encoder())
specimen(tokens, name="transformer_norm_first")(encoder(norm_first=True))
specimen(tokens, name="transformer_steps_first")(encoder(steps_first=True))


@specimen(tokens)
def multihead_attention_with_weights() -> nn.Module:
    def forward(net: Lambda, x: Tensor) -> Tensor:
        x = net.embedding(x)
        return net.head(net.attention(x, x, x)[0].mean(1))

    attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
    return Lambda(forward, embedding=nn.Embedding(11, 8), attention=attention, head=head())


@specimen(tokens)
def scaled_dot_product_attention() -> nn.Module:
    def forward(net: Lambda, x: Tensor) -> Tensor:
        x = net.embedding(x).unflatten(2, (2, 4)).transpose(1, 2)
        x = functional.scaled_dot_product_attention(x, x, x, dropout_p=0.4 if net.training else 0.0)
        return net.head(x.transpose(1, 2).flatten(2).mean(1))

    return Lambda(forward, embedding=nn.Embedding(11, 8), head=head())


# Dropout by hand.
def hidden(noise: Callable[[nn.Module, Tensor], Tensor]) -> Callable[[], nn.Module]:
    """Build a network with one hidden layer that `noise` acts on."""
    return lambda: Lambda(
        lambda net, x: net.head(noise(net, torch.relu(net.body(x)))), body=nn.Linear(WIDTH, 8), head=head()
    )


def plus_its_sum(x: Tensor) -> Tensor:
    return x + x.sum(1, keepdim=True)


specimen(name="functional")(hidden(lambda net, x: functional.dropout(x, 0.5, net.training)))
specimen(name="functional_always")(hidden(lambda net, x: functional.dropout(x, 0.5)))
specimen(name="functional_inplace")(hidden(lambda net, x: functional.dropout(x, 0.5, net.training, inplace=True)))
specimen(name="bernoulli")(hidden(lambda net, x: x * torch.bernoulli(torch.full_like(x, 0.5)) * 2))
specimen(name="bernoulli_of_features")(hidden(lambda net, x: x * torch.bernoulli(torch.sigmoid(x))))
specimen(name="rand")(hidden(lambda net, x: x * (torch.rand(x.shape) < 0.5) * 2))
specimen(name="rand_like")(hidden(lambda net, x: torch.where(torch.rand_like(x) < 0.5, 0.0, x * 2)))
specimen(name="gaussian_noise")(hidden(lambda net, x: x + 0.3 * torch.randn_like(x)))
specimen(name="multiplicative_noise")(hidden(lambda net, x: x * torch.normal(torch.ones_like(x), 0.5)))
specimen(name="empty_and_bernoulli")(hidden(lambda net, x: torch.empty_like(x).bernoulli_(0.5) * x * 2))
specimen(name="mask_of_rows_and_steps")(
    hidden(lambda net, x: functional.dropout(x.reshape(-1, 2), 0.5).reshape(x.shape))
)
specimen(name="mask_of_steps_and_rows")(
    hidden(lambda net, x: functional.dropout(x.T.reshape(-1, 1), 0.5).reshape(8, -1).T)
)
specimen(name="residual")(hidden(lambda net, x: x + functional.dropout(x.tanh(), 0.5)))
specimen(name="called_twice")(hidden(lambda net, x: functional.dropout(x, 0.5) + 2 * functional.dropout(x, 0.3)))
specimen(name="shared_weights")(hidden(lambda net, x: functional.dropout(x, 0.5) @ net.body.weight @ net.body.weight.T))
specimen(name="drop_connect")(hidden(lambda net, x: functional.linear(x, functional.dropout(torch.eye(8), 0.5))))
specimen(name="mask_read_twice")(hidden(lambda net, x: plus_its_sum(functional.dropout(x, 0.5))))
specimen(name="overwritten_after_reading")(hidden(lambda net, x: functional.dropout(x, 0.5) + x.mul_(2)))
specimen(name="overwritten_before_linear")(hidden(lambda net, x: (functional.dropout(x, 0.5), x.zero_())[0]))
specimen(name="written_piecewise")(
    hidden(lambda net, x: x.clone().index_copy_(1, torch.tensor([0, 2]), functional.dropout(x[:, :2], 0.5)))
)
specimen(name="steered_by_draws")(
    hidden(lambda net, x: functional.dropout(x, 0.5) if torch.rand(()) < 0.5 else x.tanh() * torch.rand(()))
)
specimen(name="skipped_layer")(
    hidden(lambda net, x: functional.dropout(x @ torch.ones(8, 8) if torch.rand(()) < 0.5 else x, 0.5))
)
specimen(name="swapped_operands")(
    hidden(lambda net, x: functional.dropout(x, 0.5) + ((x, x * 2) if torch.rand(()) < 0.5 else (x * 2, x))[0])
)
specimen(name="steered_by_data")(
    hidden(lambda net, x: functional.dropout(x, 0.5) if x.sum() > 0 else functional.dropout(-x, 0.2))
)
specimen(name="through_numpy")(hidden(lambda net, x: torch.from_numpy(functional.dropout(x, 0.5).numpy().copy())))
specimen(name="mask_through_numpy")(
    hidden(lambda net, x: x * torch.from_numpy(functional.dropout(torch.ones_like(x), 0.5).numpy() * 1))
)


class Counting(nn.Module):
    """Counts its calls in a buffer that evaluation leaves alone."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))
        self.body, self.head = nn.Linear(WIDTH, 8), head()

    def forward(self, input: Tensor) -> Tensor:
        self.calls += 1
        return self.head(functional.dropout(torch.relu(self.body(input)), 0.5, self.training))


specimen(name="buffer_written")(Counting)


@specimen()
def several_outputs() -> nn.Module:
    return Lambda(lambda net, x: (net.head(functional.dropout(x, 0.5)), x), head=head(WIDTH))


@specimen()
def spectral_norm() -> nn.Module:
    body = nn.utils.parametrizations.spectral_norm(nn.Linear(WIDTH, 8))
    return nn.Sequential(body, nn.ReLU(), nn.Dropout(), head())


class Branches(nn.Module):
    """Two inputs in a dict; the second joins after the first dropout."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(WIDTH, 4), nn.Linear(2, 4), head()

    def forward(self, input: dict[str, Tensor]) -> Tensor:
        a = functional.dropout(torch.relu(self.a(input["a"])), 0.5, self.training)
        b = torch.relu_(self.b(input["b"]))
        return self.head(functional.dropout(torch.cat([a, b], 1), 0.2, self.training))


specimen(lambda n: {"input": {"a": rows(WIDTH)(n)["input"], "b": rows(2)(n)["input"]}}, name="dict_input")(Branches)

# Rows that depend on each other have no masks of their own to share.
specimen(shares=False, name="batch_norm_without_statistics")(
    lambda: nn.Sequential(nn.Linear(WIDTH, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Dropout(), head())
)
specimen(shares=False, name="attention_between_rows")(
    hidden(lambda net, x: functional.dropout(functional.softmax(x @ x.T, 1), 0.5) @ x)
)
specimen(shares=False, name="permuted_rows")(
    hidden(lambda net, x: functional.dropout(x, 0.5) + 0.1 * x[torch.randperm(len(x))])
)


def build(name: str) -> nn.Module:
    """Build a specimen with the same weights each time, in evaluation mode."""
    torch.manual_seed(0)
    return ZOO[name].build().eval()


def sample(module: nn.Module, inputs: dict, n_samples: int = 6, seed: int = 0, **options) -> Tensor:
    """Samples (n, K, ...) of the inputs of a specimen."""
    with DropoutSampler(module, n_samples, seed, **options) as sampler:
        return sampler(**inputs)
