"""Settings: defaults, file and variables are checked once, and a mistake is one clear line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ravdess_mm.config import Protocol, Settings
from ravdess_mm.errors import InputError
from ravdess_mm.run.settings import MAKE_VARIABLES, load_settings


def test_no_arguments_mean_the_sample_with_its_preset() -> None:
    settings = load_settings([])
    assert settings.is_sample
    assert settings.run == "sample"
    assert settings.test_actors == (10, 11, 12)
    assert settings.search.draws < Settings().search.draws


def test_data_means_full_budgets_and_a_run_named_after_it(tmp_path: Path) -> None:
    settings = load_settings([f"DATA={tmp_path}/My clips".replace(" ", "\\ ")])
    assert settings.data == (tmp_path / "My clips",)
    assert settings.run == "My-clips"
    assert settings.search.draws == 20
    assert settings.test_actors is None
    assert (settings.cnn.epochs, settings.cnn.steps_per_epoch, settings.frame_step) == (50, 25, 20)


def test_several_folders_and_actors() -> None:
    settings = load_settings({"DATA": "a b", "RUN": "real", "TEST_ACTORS": "1,17-20"})
    assert settings.data == (Path("a"), Path("b"))
    assert settings.test_actors == (1, 17, 18, 19, 20)


def test_other_corpora_have_names_and_folders() -> None:
    settings = load_settings({"CORPORA": "EMO-DB='my wav' nemo=samples"})
    assert settings.corpora == ("EMO-DB=my wav", "nemo=samples")
    assert settings.corpus_folders == (("EMO-DB", Path("my wav")), ("nemo", Path("samples")))


def test_another_protocol_on_the_sample_drops_the_preset_actors() -> None:
    settings = load_settings(["PROTOCOL=loso"])
    assert settings.protocol is Protocol.LOSO
    assert settings.test_actors is None


def test_a_variable_wins_over_the_file_which_wins_over_the_preset(tmp_path: Path) -> None:
    config = tmp_path / "run.toml"
    config.write_text('rule = "mean"\nseed = 3\n[search]\ndraws = 2\n')
    settings = load_settings([f"CONFIG={config}", "SEED=4"])
    assert (settings.rule, settings.seed, settings.search.draws) == ("mean", 4, 2)
    assert settings.cnn.epochs == load_settings([]).cnn.epochs


def test_empty_values_count_as_not_given() -> None:
    assert load_settings(["DATA=", "RUN=", "JOBS="]) == load_settings([])
    assert load_settings(["DATA= ", "RUN= "]) == load_settings([])


def test_a_folder_with_a_very_long_name_names_the_run_too() -> None:
    assert load_settings([f"DATA={'b' * 200}"]).run == "b" * 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["NET=resnet9000"], "NET=resnet9000: allowed: seed"),
        (["PROTOCOL=random"], "PROTOCOL=random: allowed: holdout, luna5, emobox6, loso"),
        (["TEST_ACTOR=3"], "unknown variable 'TEST_ACTOR'; allowed: DATA, RUN"),
        (["holdout"], "'holdout' is not NAME=value"),
        (["TEST_ACTORS=20-30"], "TEST_ACTORS=20-30: '20-30' is out of range; allowed: actors 1-24"),
        (["TEST_ACTORS=4-2"], "lower number first"),
        (["TEST_ACTORS=x"], "'x' is not a list of actors"),
        (["DATA=a", "PROTOCOL=loso", "TEST_ACTORS=3"], "TEST_ACTORS belongs to PROTOCOL=holdout"),
        (["JOBS=0"], "JOBS=0: allowed: 1 or more, or -1"),
        (["FRAME_STEP=0"], "FRAME_STEP=0: Input should be greater than or equal to 1"),
        (["RUN=../up"], "RUN=../up: a run's name has up to 100 letters"),
        ([f"RUN={'a' * 101}"], "a run's name has up to 100 letters"),
        (["CORPORA=emodb"], "CORPORA=emodb: 'emodb' is not name=folder, such as emodb=data/wav"),
        (["CORPORA=emodbs=wav"], "unknown corpus 'emodbs'; allowed: emodb, nemo"),
        (["CORPORA==wav"], "'=wav' is not name=folder"),
        (["DATA='voices"], "DATA='voices: No closing quotation"),
        (["CONFIG=nowhere.toml"], "CONFIG=nowhere.toml: no such file"),
    ],
)
def test_a_mistake_is_one_line_that_says_what_is_allowed(arguments: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(arguments)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sead = 3", "unknown key 'sead'; allowed: data, run"),
        ("[search]\ndraw = 3", "unknown key 'search.draw'; allowed: draws, inner_folds"),
        ("seed = ", "not a TOML file"),
        ("a = " + "[" * 100_000, "nested too deep"),
        ("seed = " + "1" * 10_000, "not a TOML file"),
        ("run = '\0'", "not a TOML file"),
        ("[search]\nmodels = []", "Tuple should have at least 1 item"),
        ("data = 3", "DATA=3: "),
        ("data = {a = 1}", "DATA={"),
        ("[cnn]\nepochs = 0", "cnn.epochs=0: Input should be greater"),
    ],
)
def test_a_typo_in_the_file_is_found(tmp_path: Path, text: str, message: str) -> None:
    config = tmp_path / "run.toml"
    config.write_text(text)
    with pytest.raises(InputError) as caught:
        load_settings([f"CONFIG={config}"])
    assert message in str(caught.value)


def test_a_setting_without_a_variable_stands_in_the_file_alone() -> None:
    alone = {"bootstrap_draws", "artifacts_dir", "reports_dir", "search", "dense", "cnn"}
    assert set(MAKE_VARIABLES.values()) == set(Settings.model_fields) - alone


def test_a_folder_with_blanks_in_its_name_is_one_folder(tmp_path: Path) -> None:
    (tmp_path / "my clips, Bob's").mkdir()
    settings = load_settings([f"DATA={tmp_path / 'my clips, Bob'}'s"])
    assert settings.data == (tmp_path / "my clips, Bob's",)
    assert settings.run == "my-clips-Bob-s"
