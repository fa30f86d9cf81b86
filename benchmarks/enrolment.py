"""A speaker known by clips in few emotions, of a corpus that taught nothing: what adapting to that voice is worth.

    python benchmarks/enrolment.py DATA=<RAVDESS> CORPORA="emodb=<folder> nemo=<folder>" RUN=ship [DRAWS=4]

Each corpus in turn is left out, and the others teach the voice that ships: strength and temperature too. Of each
speaker of the corpus, clips in some of the emotions are drawn, and the speaker is known by them alone, without labels.
The voice then answers for these clips and for that speaker's others, among the emotions of the corpus: plain; adapted
by mean and deviation of the clips (*simply*); and by `SpeakerStatistics.of_emotion_shares`, as ``predict --speaker``
does.
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from pipelines.pretrain import embedded_rows, read_settings
from ravdess_mm.audio.embedding import FEATURE_SET
from ravdess_mm.classifiers.adaptation import SpeakerStatistics
from ravdess_mm.classifiers.corpora_voice import CorporaVoice
from ravdess_mm.classifiers.trained import TrainedClassifier
from ravdess_mm.experiments.cross_corpus import CorpusRows, Variant, choose

SEED = 1
CLIPS = (4, 12, 20)
N_EMOTIONS = (1, 2, 4, 8)
"""Of a corpus with fewer emotions, all."""


def main() -> None:
    """Print accuracy by corpus, number of clips and of emotions."""
    words = sys.argv[1:]
    draws = next((int(word.removeprefix("DRAWS=")) for word in words if word.startswith("DRAWS=")), 4)
    settings = read_settings([word for word in words if not word.startswith("DRAWS=")]).settings
    rows = embedded_rows(settings)
    tables = []
    for tested in rows.corpora:
        train, test = rows.rows(rows.corpus != tested), rows.rows(rows.corpus == tested).originals
        plain, adapted = (taught(train, variant, seed=settings.seed) for variant in Variant)
        tables.append(measure(tested, test, plain, adapted, draws=draws))
    table = pd.concat(tables).groupby(["corpus", "clips", "emotions"]).mean()
    print(table.assign(answers=pd.concat(tables).groupby(["corpus", "clips", "emotions"]).size()).round(1).to_string())


def taught(train: CorpusRows, variant: Variant, *, seed: int) -> TrainedClassifier:
    strength, temperature = choose(train, variant, seed=seed)
    voice = CorporaVoice.fit(
        train.X,
        train.y,
        train.places,
        is_copy=train.is_copy,
        sample_weight=train.weights(train.y),
        strengths=[strength],
        adapted=variant is Variant.ADAPTED,
    )
    names = [f"e{place:05d}" for place in range(train.X.shape[1])]
    return voice.trained(0, temperature=temperature, feature_names=names, feature_set=FEATURE_SET, card={})


def measure(
    tested: str, test: CorpusRows, plain: TrainedClassifier, adapted: TrainedClassifier, *, draws: int
) -> pd.DataFrame:
    random = np.random.default_rng(SEED)
    emotions = np.unique(test.y)
    shares = plain.predict_proba(test.X)

    def right(answers: np.ndarray, y: np.ndarray) -> np.ndarray:
        return emotions[answers[:, emotions].argmax(axis=1)] == y

    assert adapted.speaker is not None
    assert adapted.speaker.emotion_effects_ is not None
    found = []
    for n_clips in CLIPS:
        for n_emotions in sorted({min(n, len(emotions)) for n in N_EMOTIONS}):
            for speaker in np.unique(test.speaker):
                own = np.flatnonzero(test.speaker == speaker)
                X, y = test.X[own], test.y[own]
                for _ in range(draws):
                    shown = random.choice(np.unique(y), min(n_emotions, len(np.unique(y))), replace=False)
                    known = random.permutation(np.flatnonzero(np.isin(y, shown)))[:n_clips]
                    if len(known) < n_clips or len(known) == len(y):
                        continue
                    simply = SpeakerStatistics.of(X[known])
                    by_emotions = SpeakerStatistics.of_emotion_shares(
                        X[known], shares[own][known], adapted.speaker.emotion_effects_
                    )
                    hits = {
                        "plain": right(shares[own], y),
                        "simply": right(adapted.predict_proba(X, enrolment=simply), y),
                        "by emotions": right(adapted.predict_proba(X, enrolment=by_emotions), y),
                    }
                    others = np.setdiff1d(np.arange(len(y)), known)
                    figures = {f"these: {name}": 100 * hit[known].mean() for name, hit in hits.items()}
                    figures |= {f"others: {name}": 100 * hit[others].mean() for name, hit in hits.items()}
                    found.append({"corpus": tested, "clips": n_clips, "emotions": n_emotions, **figures})
    return pd.DataFrame(found)


if __name__ == "__main__":
    main()
