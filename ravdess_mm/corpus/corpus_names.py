"""Eight other corpora of acted emotional speech: file names, terms, references.

A corpus is a frozen record: its terms and its reference stand beside the pattern of its names. The pattern sees the
folder too, since some owners say the speaker there and nowhere else.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from ravdess_mm.corpus.identifier import Sex
from ravdess_mm.errors import InputError


@dataclass(frozen=True)
class NamedClip:
    """What a file name says.

    Attributes
    ----------
    speaker : str
        Unique within the corpus.
    emotion : str
        One of the eight, or the name of another state, such as ``boredom``.
    sex : Sex or None
        None where neither the name nor the owner's list of speakers says.
    """

    speaker: str
    emotion: str
    sex: Sex | None = None


@dataclass(frozen=True)
class SpeechCorpus:
    """A corpus of acted emotional speech.

    Attributes
    ----------
    name : str
        The word it is asked for by.
    title, language : str
        For people; the language in English.
    terms : str
        Licence or terms of use, as far as its owner states them.
    reference : str
        What to cite.
    doi : str or None
        Of the reference.
    example : str
        A path as its owner publishes it.
    pattern : re.Pattern
        Of folder and name without suffix, ``folder/name``, with the groups ``speaker`` and ``emotion``.
    emotions : mapping of str to str
        Code in lower case to one of the eight, or to the name of another state.
    sex_of : callable
        Speaker to sex, or None where neither the name nor the owner's list of speakers says.
    aliases : mapping of str to str
        Misspelt speaker to speaker.
    """

    name: str
    title: str
    language: str
    terms: str
    reference: str
    doi: str | None
    example: str
    pattern: re.Pattern[str]
    emotions: Mapping[str, str]
    sex_of: Callable[[str], Sex | None]
    aliases: Mapping[str, str] = field(default_factory=dict)

    def parse(self, path: str | PurePath) -> NamedClip | None:
        """Return what a path says; None where the name is not one of this corpus."""
        absolute = PurePath(os.path.abspath(path))
        match = self.pattern.fullmatch(f"{absolute.parent.name}/{absolute.stem}")
        emotion = self.emotions.get(match["emotion"].lower()) if match else None
        if match is None or emotion is None:
            return None
        # where owners say the speaker in the folder's name, popular copies say it in the file's
        speaker = match["speaker"] or match["folder"]
        speaker = self.aliases.get(speaker, speaker)
        return NamedClip(speaker, emotion, self.sex_of(speaker))


_EMODB_MEN: Final = frozenset({"03", "10", "11", "12", "15"})
_NEMO_SEXES: Final[dict[str, Sex]] = {
    **dict.fromkeys(("EB0", "IC0", "KD0", "MK0"), Sex.FEMALE),
    **dict.fromkeys(("KS0", "MP0", "SM0", "TP0", "WR0"), Sex.MALE),
}
_CREMAD_WOMEN: Final = frozenset(
    {
        *(1002, 1003, 1004, 1006, 1007, 1008, 1009, 1010, 1012, 1013, 1018, 1020, 1021, 1024, 1025, 1028, 1029, 1030),
        *(1037, 1043, 1046, 1047, 1049, 1052, 1053, 1054, 1055, 1056, 1058, 1060, 1061, 1063, 1072, 1073, 1074, 1075),
        *(1076, 1078, 1079, 1082, 1084, 1089, 1091),
    }
)


_RECORDS: Final[tuple[SpeechCorpus, ...]] = (
    SpeechCorpus(
        name="emodb",
        title="Berlin Database of Emotional Speech (EMO-DB)",
        language="German",
        terms="freely available; CC BY 4.0 where third parties name a licence",
        reference="Burkhardt F, Paeschke A, Rolfes M, Sendlmeier WF, Weiss B (2005), A database of German emotional "
        "speech, Interspeech: 1517-1520",
        doi="10.21437/Interspeech.2005-446",
        example="wav/03a01Fa.wav",
        pattern=re.compile(r".*/(?P<speaker>\d\d)[ab]\d\d(?P<emotion>[AEFLNTW])[a-z]?"),
        emotions={
            "w": "angry",
            "l": "boredom",
            "e": "disgust",
            "a": "fearful",
            "f": "happy",
            "t": "sad",
            "n": "neutral",
        },
        sex_of=lambda speaker: Sex.MALE if speaker in _EMODB_MEN else Sex.FEMALE,
    ),
    SpeechCorpus(
        name="nemo",
        title="nEMO: dataset of emotional speech in Polish",
        language="Polish",
        terms="CC BY-NC-SA 4.0",
        reference="Christop I (2024), nEMO: Dataset of emotional speech in Polish, LREC-COLING: 12111-12116",
        doi="10.48550/arXiv.2404.06292",
        example="samples/EB0_anger_49.wav",
        pattern=re.compile(r".*/(?P<speaker>[A-Z]{2}\d)_(?P<emotion>[a-z]+)_\d+"),
        emotions={
            "anger": "angry",
            "fear": "fearful",
            "happiness": "happy",
            "neutral": "neutral",
            "sadness": "sad",
            "surprised": "surprised",
        },
        sex_of=_NEMO_SEXES.get,
    ),
    SpeechCorpus(
        name="emovo",
        title="EMOVO: Italian emotional speech database",
        language="Italian",
        terms="non-commercial use with acknowledgement",
        reference="Costantini G, Iaderola I, Paoloni A, Todisco M (2014), EMOVO corpus: an Italian emotional speech "
        "database, LREC: 3501-3504",
        doi=None,
        example="f1/dis-f1-b1.wav",
        pattern=re.compile(r".*/(?P<emotion>[a-z]{3})-(?P<speaker>[fm]\d)-[a-z]\d+"),
        emotions={
            "dis": "disgust",
            "gio": "happy",
            "neu": "neutral",
            "pau": "fearful",
            "rab": "angry",
            "sor": "surprised",
            "tri": "sad",
        },
        sex_of=lambda speaker: Sex.FEMALE if speaker.startswith("f") else Sex.MALE,
    ),
    SpeechCorpus(
        name="savee",
        title="Surrey Audio-Visual Expressed Emotion (SAVEE)",
        language="English",
        terms="research only, on registration with its owner",
        reference="Haq S, Jackson PJB (2009), Speaker-dependent audio-visual emotion recognition, AVSP: 53-58",
        doi=None,
        example="AudioData/DC/a01.wav",
        pattern=re.compile(r"(?:.*/(?P<speaker>DC|JE|JK|KL)_|(?P<folder>DC|JE|JK|KL)/)(?P<emotion>sa|su|[adfhn])\d\d"),
        emotions={
            "a": "angry",
            "d": "disgust",
            "f": "fearful",
            "h": "happy",
            "n": "neutral",
            "sa": "sad",
            "su": "surprised",
        },
        sex_of=lambda _: Sex.MALE,
    ),
    SpeechCorpus(
        name="tess",
        title="Toronto emotional speech set (TESS)",
        language="English",
        terms="non-commercial (Creative Commons; see its record)",
        reference="Pichora-Fuller MK, Dupuis K (2020), Toronto emotional speech set (TESS), Borealis",
        doi="10.5683/SP2/E8H2MF",
        example="OAF_angry/OAF_back_angry.wav",
        pattern=re.compile(r".*/(?P<speaker>OAF?|YAF)_[a-z]+_(?P<emotion>[a-z]+)"),
        emotions={
            "angry": "angry",
            "disgust": "disgust",
            "fear": "fearful",
            "happy": "happy",
            "neutral": "neutral",
            "ps": "surprised",
            "sad": "sad",
        },
        sex_of=lambda _: Sex.FEMALE,
        aliases={"OA": "OAF"},  # one file of the release is OA_bite_neutral.wav
    ),
    SpeechCorpus(
        name="crema-d",
        title="Crowd-sourced emotional multimodal actors dataset (CREMA-D)",
        language="English",
        terms="Open Database License 1.0",
        reference="Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014), CREMA-D: Crowd-sourced emotional "
        "multimodal actors dataset, IEEE Trans. Affective Computing 5(4): 377-390",
        doi="10.1109/TAFFC.2014.2336244",
        example="AudioWAV/1001_DFA_ANG_XX.wav",
        pattern=re.compile(
            r".*/(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))_[A-Z]{3}_(?P<emotion>[A-Z]{3})_(?:XX?|LO|MD|HI)"
        ),
        emotions={"ang": "angry", "dis": "disgust", "fea": "fearful", "hap": "happy", "neu": "neutral", "sad": "sad"},
        sex_of=lambda speaker: Sex.FEMALE if int(speaker) in _CREMAD_WOMEN else Sex.MALE,
    ),
    SpeechCorpus(
        name="aesdd",
        title="Acted Emotional Speech Dynamic Database (AESDD)",
        language="Greek",
        terms="freely available; no licence is stated",
        reference="Vryzas N, Kotsakis R, Liatsou A, Dimoulas CA, Kalliris G (2018), Speech emotion recognition for "
        "performance interaction, J. Audio Eng. Soc. 66(6): 457-467",
        doi="10.17743/jaes.2018.0036",
        example="anger/a01 (1).wav",
        pattern=re.compile(r".*/(?P<emotion>[adfhs])\d\d ?\((?P<speaker>\d+)\) ?[a-z]?"),
        emotions={"a": "angry", "d": "disgust", "f": "fearful", "h": "happy", "s": "sad"},
        sex_of=lambda _: None,
    ),
    SpeechCorpus(
        name="urdu",
        title="URDU: utterances from Urdu talk shows",
        language="Urdu",
        terms="research only",
        reference="Latif S, Qayyum A, Usman M, Qadir J (2018), Cross lingual speech emotion recognition: Urdu vs. "
        "western languages, Frontiers of Information Technology: 88-93",
        doi="10.1109/FIT.2018.00023",
        example="Angry/SM1_F1_A001.wav",
        pattern=re.compile(r".*/(?P<speaker>S[FM]\d+)_F\d+_(?P<emotion>[AHNS])\d+"),
        emotions={"a": "angry", "h": "happy", "n": "neutral", "s": "sad"},
        sex_of=lambda speaker: Sex.FEMALE if speaker.startswith("SF") else Sex.MALE,
    ),
)

CORPORA: Final[dict[str, SpeechCorpus]] = {corpus.name: corpus for corpus in _RECORDS}
"""The corpora by name."""


def corpus_named(name: str) -> SpeechCorpus:
    """Return the record of a corpus; case and hyphens do not matter.

    Raises
    ------
    InputError
        If there is no such corpus; the message lists those there are.
    """
    key = name.lower().replace("-", "").replace("_", "")
    for corpus in _RECORDS:
        if corpus.name.replace("-", "") == key:
            return corpus
    raise InputError(f"unknown corpus {name!r}; allowed: {', '.join(CORPORA)}")
