"""THE table: every strategy is one line. To add one, write a pure function and its line here."""

from alkit.strategies import picks, scores
from alkit.strategies.epig import epig
from alkit.strategies.strategy import Strategy

TABLE = (
    Strategy("random", pick=picks.uniform),
    # what the model predicts
    Strategy("least_confident", scores.least_confident, needs=("proba",)),
    Strategy("margin", scores.margin, needs=("proba",)),
    Strategy("entropy", scores.entropy, needs=("proba",)),
    # the mean of posterior samples: MC dropout, an ensemble or a committee
    Strategy("mc_least_confident", scores.mc_least_confident, needs=("samples",)),
    Strategy("mc_margin", scores.mc_margin, needs=("samples",)),
    Strategy("mc_entropy", scores.mc_entropy, needs=("samples",)),
    # how far posterior samples disagree
    Strategy("bald", scores.bald, needs=("samples",)),
    Strategy("mean_std", scores.mean_std, needs=("samples",)),
    Strategy("variation_ratio", scores.variation_ratio, needs=("samples",)),
    Strategy("power_bald", scores.bald, ("samples",), picks.stochastic),
    Strategy("batch_bald", scores.bald, ("samples",), picks.batch_bald, ("samples",)),
    Strategy("epig", epig, needs=("samples", "target_samples")),
    # the same under the names committees know
    Strategy("vote_entropy", scores.vote_entropy, needs=("samples",)),
    Strategy("consensus_entropy", scores.mc_entropy, needs=("samples",)),
    Strategy("max_disagreement", scores.max_disagreement, needs=("samples",)),
    # rows that differ from each other and from those labelled
    Strategy("badge", pick=picks.badge, pick_needs=("proba", "embedding")),
    Strategy("coreset", pick=picks.coreset, pick_needs=("embedding", "train_embedding")),
    Strategy("kmeans", pick=picks.kmeans, pick_needs=("embedding",)),
    Strategy("information_density", scores.entropy, ("proba",), picks.information_density, ("features",)),
    Strategy("ranked_batch", scores.least_confident, ("proba",), picks.ranked_batch, ("features", "train_features")),
    # before there is a model
    Strategy("typiclust", pick=picks.typiclust, pick_needs=("features", "train_features")),
    Strategy("probcover", pick=picks.probcover, pick_needs=("features", "train_features")),
    # what a row's loss would be
    Strategy("learning_loss", scores.learning_loss, needs=("loss",)),
    Strategy("ideal_loss", scores.ideal_loss, needs=("true_loss",)),
)
