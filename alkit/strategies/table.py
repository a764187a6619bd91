"""THE table: every strategy is one line. To add one, write a pure function and its line here."""

from alkit.strategies import picks, scores
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
    # the same under the names committees know
    Strategy("vote_entropy", scores.vote_entropy, needs=("samples",)),
    Strategy("consensus_entropy", scores.mc_entropy, needs=("samples",)),
    Strategy("max_disagreement", scores.max_disagreement, needs=("samples",)),
)
