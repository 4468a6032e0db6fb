"""The entry point, run as a user would."""


def test_entry_point_fails_with_one_sentence(tmp_path, run_module):
    done = run_module("bifrons_training.make_models", "--data", tmp_path / "nowhere", "--work", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: the data folder")
