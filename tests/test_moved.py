"""What 0.1.0 gave an address loads from it still, by import and by pickle."""

import importlib
import pickle

import pytest

from alkit import _moved
from alkit.strategies import picks

# what its docstrings imported, or its pickles named
OF_0_1_0 = {
    "alkit.annotate.aggregation": ["DawidSkene", "MajorityVote", "dawid_skene", "majority_vote"],
    "alkit.annotate.agreement": ["cohen_kappa", "fleiss_kappa", "krippendorff_alpha"],
    "alkit.annotate.bridges": ["from_prodigy", "read_csv", "read_jsonl", "to_prodigy", "write_csv", "write_jsonl"],
    "alkit.annotate.curve": ["live_curve"],
    "alkit.annotate.default_models": ["DefaultModel", "Thumbnails", "_Reduced", "default_model"],
    "alkit.annotate.events": ["Conflict", "UnknownItem", "new_event"],
    "alkit.annotate.report": ["aggregate", "label_table", "report"],
    "alkit.annotate.server": ["make_app", "serve"],
    "alkit.annotate.store": ["Store", "lock"],
    "alkit.annotate.trainer": ["Job", "Trainer", "model_path"],
    "alkit.annotate.widget": ["LabelingWidget"],
    "alkit.checks": ["check_aligned", "check_columns"],
    "alkit.experiment.identity": ["fingerprint", "run_keys"],
    "alkit.experiment.store": ["Store"],
    "alkit.nets.batching": ["EpochBatches", "batch_sizes", "epoch_batches"],
    "alkit.nets.dropout": ["DropoutSampler"],
    "alkit.nets.encoders": ["Highway", "ModalityEncoder", "Residual", "mlp"],
    "alkit.nets.fusion": ["AttentionFusion", "BilinearFusion", "ConcatFusion", "GatedFusion", "build_fusion"],
    "alkit.nets.hidden": ["outputs_of", "submodule_names"],
    "alkit.nets.inputs": ["RowDataset", "check_shape", "to_tensors"],
    "alkit.nets.labels": ["class_weights", "encode"],
    "alkit.nets.modalities": ["ModalityDataset", "by_modality", "check_modalities"],
    "alkit.nets.multimodal": ["MultimodalClassifier", "MultimodalNet"],
    "alkit.nets.multimodal_learning_loss": ["MultimodalLearningLossClassifier"],
    "alkit.nets.multitask_loss": ["FixedWeightLoss", "UncertaintyWeightedLoss"],
    "alkit.nets.randomness": ["isolated_rng", "sampling_seed"],
    "alkit.nets.warm_start": ["shrink_perturb"],
    "alkit.strategies.batch_bald": ["Configurations", "batch_bald", "conditional_entropy"],
    "alkit.strategies.coldstart": ["probcover", "typiclust"],
    "alkit.strategies.density": ["information_density", "ranked_batch"],
    "alkit.strategies.diversity": ["badge", "coreset", "diverse", "kmeans"],
    "alkit.strategies.epig": ["epig"],
    "alkit.strategies.geometry": ["k_means", "nearest_distance", "seeded_argmax"],
    "alkit.strategies.picks": ["evened_out", "mixed", "per_cost", "stochastic", "top_k"],
    "alkit.strategies.scores": ["bald", "epig", "margin"],
    "alkit.strategies.selection": ["Picks", "evened_out", "mixed", "per_cost", "stochastic", "top_k", "uniform"],
}
NAMES = [(address, name) for address, names in OF_0_1_0.items() for name in names]


def test_every_address_that_moved_is_tried():
    assert _moved.MOVED.keys() <= OF_0_1_0.keys()


@pytest.mark.parametrize(
    ("address", "name"), [(address, name) for address, names in OF_0_1_0.items() for name in names]
)
def test_what_was_there_loads_by_import_and_by_pickle(address, name):
    imported = getattr(importlib.import_module(address), name)
    # pickle's opcode for "this name of this module"
    assert pickle.loads(f"c{address}\n{name}\n.".encode()) is imported


def test_a_pick_that_has_another_name_now():
    assert importlib.import_module("alkit.strategies.selection").per_cost is picks.top_k_per_cost


@pytest.mark.parametrize("address", ["alkit.strategies.selection", "alkit.strategies.picks"])
def test_a_name_that_never_was_raises(address):
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module(address).nothing  # noqa: B018


def test_an_address_that_never_was_raises():
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        importlib.import_module("alkit.nowhere")
