from __future__ import annotations

from pathlib import Path

import pytest

from ravdess_mm.corpus.corpus_names import CORPORA, NamedClip, SpeechCorpus, corpus_named
from ravdess_mm.corpus.identifier import Sex
from ravdess_mm.errors import InputError

WOMAN, MAN = Sex.FEMALE, Sex.MALE


@pytest.mark.parametrize(
    ("corpus", "path", "expected"),
    [
        ("emodb", "wav/03a01Fa.wav", NamedClip("03", "happy", MAN)),
        ("emodb", "wav/16b10Wb.flac", NamedClip("16", "angry", WOMAN)),
        ("emodb", "14a05Ea.wav", NamedClip("14", "disgust", WOMAN)),
        ("emodb", "08a02Ab.wav", NamedClip("08", "fearful", WOMAN)),
        ("emodb", "11b09Td.wav", NamedClip("11", "sad", MAN)),
        ("emodb", "15a07Nb.wav", NamedClip("15", "neutral", MAN)),
        ("emodb", "03a01Lc.wav", NamedClip("03", "boredom", MAN)),
        ("nemo", "samples/EB0_anger_49.wav", NamedClip("EB0", "angry", WOMAN)),
        ("nemo", "WR0_surprised_64.wav", NamedClip("WR0", "surprised", MAN)),
        ("nemo", "KD0_fear_1.wav", NamedClip("KD0", "fearful", WOMAN)),
        ("nemo", "TP0_happiness_90.wav", NamedClip("TP0", "happy", MAN)),
        ("nemo", "MP0_sadness_8.wav", NamedClip("MP0", "sad", MAN)),
        ("nemo", "ZZ0_neutral_8.wav", NamedClip("ZZ0", "neutral", None)),
        ("emovo", "EMOVO/f1/dis-f1-b1.wav", NamedClip("f1", "disgust", WOMAN)),
        ("emovo", "m3/gio-m3-n5.wav", NamedClip("m3", "happy", MAN)),
        ("emovo", "m3/neu-m3-l4.wav", NamedClip("m3", "neutral", MAN)),
        ("emovo", "f2/pau-f2-d1.wav", NamedClip("f2", "fearful", WOMAN)),
        ("emovo", "f2/rab-f2-d2.wav", NamedClip("f2", "angry", WOMAN)),
        ("emovo", "f2/sor-f2-d2.wav", NamedClip("f2", "surprised", WOMAN)),
        ("emovo", "f2/tri-f2-d2.wav", NamedClip("f2", "sad", WOMAN)),
        ("savee", "AudioData/DC/a01.wav", NamedClip("DC", "angry", MAN)),
        ("savee", "ALL/DC_a01.wav", NamedClip("DC", "angry", MAN)),
        ("savee", "JE/d15.wav", NamedClip("JE", "disgust", MAN)),
        ("savee", "JK/f03.wav", NamedClip("JK", "fearful", MAN)),
        ("savee", "KL_h10.wav", NamedClip("KL", "happy", MAN)),
        ("savee", "KL/n30.wav", NamedClip("KL", "neutral", MAN)),
        ("savee", "KL/sa02.wav", NamedClip("KL", "sad", MAN)),
        ("savee", "KL_su02.wav", NamedClip("KL", "surprised", MAN)),
        ("tess", "OAF_angry/OAF_back_angry.wav", NamedClip("OAF", "angry", WOMAN)),
        ("tess", "YAF_pleasant_surprised/YAF_youth_ps.wav", NamedClip("YAF", "surprised", WOMAN)),
        ("tess", "OAF_neutral/OA_bite_neutral.wav", NamedClip("OAF", "neutral", WOMAN)),
        ("tess", "YAF_sad/YAF_yes_sad.wav", NamedClip("YAF", "sad", WOMAN)),
        ("tess", "OAF_Fear/OAF_back_fear.wav", NamedClip("OAF", "fearful", WOMAN)),
        ("tess", "YAF_dog_happy.wav", NamedClip("YAF", "happy", WOMAN)),
        ("tess", "YAF_dog_disgust.wav", NamedClip("YAF", "disgust", WOMAN)),
        ("crema-d", "AudioWAV/1001_DFA_ANG_XX.wav", NamedClip("1001", "angry", MAN)),
        ("crema-d", "AudioMP3/1002_IEO_HAP_HI.mp3", NamedClip("1002", "happy", WOMAN)),
        ("crema-d", "1040_ITH_SAD_X.wav", NamedClip("1040", "sad", MAN)),
        ("crema-d", "1091_WSI_NEU_XX.wav", NamedClip("1091", "neutral", WOMAN)),
        ("crema-d", "1009_IEO_FEA_LO.wav", NamedClip("1009", "fearful", WOMAN)),
        ("crema-d", "1090_IEO_DIS_MD.wav", NamedClip("1090", "disgust", MAN)),
        ("aesdd", "anger/a01 (1).wav", NamedClip("1", "angry")),
        ("aesdd", "fear/f18 (5)b.wav", NamedClip("5", "fearful")),
        ("aesdd", "happiness/h20 (12).wav", NamedClip("12", "happy")),
        ("aesdd", "disgust/d02 (3).wav", NamedClip("3", "disgust")),
        ("aesdd", "sadness/s02 (3).wav", NamedClip("3", "sad")),
        ("urdu", "Angry/SM1_F1_A001.wav", NamedClip("SM1", "angry", MAN)),
        ("urdu", "Happy/SF6_F3_H027.wav", NamedClip("SF6", "happy", WOMAN)),
        ("urdu", "Neutral/SM27_F10_N100.wav", NamedClip("SM27", "neutral", MAN)),
        ("urdu", "SM1_F01_S12.wav", NamedClip("SM1", "sad", MAN)),
    ],
)
def test_names_as_their_owners_publish_them(corpus: str, path: str, expected: NamedClip) -> None:
    assert CORPORA[corpus].parse(path) == expected


@pytest.mark.parametrize(
    ("corpus", "path"),
    [
        ("emodb", "03a01Xa.wav"),
        ("emodb", "3a01Fa.wav"),
        ("emodb", "03c01Fa.wav"),
        ("nemo", "EB0_boredom_49.wav"),
        ("nemo", "EB0_anger.wav"),
        ("emovo", "abc-f1-b1.wav"),
        ("emovo", "dis-x1-b1.wav"),
        ("savee", "a01.wav"),
        ("savee", "XX/a01.wav"),
        ("savee", "XX_a01.wav"),
        ("savee", "DC/b01.wav"),
        ("tess", "OAF_back.wav"),
        ("tess", "MAF_back_angry.wav"),
        ("crema-d", "1000_DFA_ANG_XX.wav"),
        ("crema-d", "1092_DFA_ANG_XX.wav"),
        ("crema-d", "1001_DFA_SUR_XX.wav"),
        ("aesdd", "a01.wav"),
        ("aesdd", "n01 (1).wav"),
        ("urdu", "SX1_F1_A001.wav"),
        ("urdu", "SM1_F1_F001.wav"),
        ("emodb", "03-01-05-01-02-01-12.wav"),
    ],
)
def test_other_names_are_none(corpus: str, path: str) -> None:
    assert CORPORA[corpus].parse(path) is None


def test_the_folder_counts_as_it_is_and_not_as_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "DC").mkdir()
    monkeypatch.chdir(tmp_path / "DC")
    assert CORPORA["savee"].parse("a01.wav") == NamedClip("DC", "angry", MAN)


@pytest.mark.parametrize("corpus", CORPORA.values(), ids=CORPORA)
def test_a_record_says_its_terms_and_parses_its_own_example(corpus: SpeechCorpus) -> None:
    assert corpus.terms
    assert corpus.reference
    assert corpus.parse(corpus.example) is not None


def test_crema_d_has_as_many_women_and_men_as_its_owner_says() -> None:
    parse = CORPORA["crema-d"].parse
    sexes = [clip.sex for number in range(1001, 1092) if (clip := parse(f"{number}_DFA_ANG_XX.wav"))]
    assert (sexes.count(WOMAN), sexes.count(MAN)) == (43, 48)


def test_names_of_corpora_are_forgiving_and_unknown_ones_list_those_there_are() -> None:
    assert corpus_named("CREMAD") is corpus_named("crema_d") is CORPORA["crema-d"]
    assert corpus_named("EMO-DB") is CORPORA["emodb"]
    with pytest.raises(InputError, match="unknown corpus 'emodbs'; allowed: emodb, nemo, emovo, savee, tess, crema-d"):
        corpus_named("emodbs")
